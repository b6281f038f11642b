"""Which room may import which: the packages in their order, inside a package its rooms in theirs, no circle.

`ROOMS` is the drawing of docs/architecture.md as data: a room imports only rooms that stand before it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PACKAGES = {
    "lite_vton": ROOT / "lite_vton",
    "lite_vton_runtimes": ROOT / "runtimes/lite_vton_runtimes",
    "lite_vton_export": ROOT / "export/lite_vton_export",
    "lite_vton_training": ROOT / "training/lite_vton_training",
}

MAY_IMPORT = {
    "lite_vton": {"lite_vton"},
    "lite_vton_runtimes": {"lite_vton_runtimes", "lite_vton"},
    "lite_vton_export": {"lite_vton_export", "lite_vton", "lite_vton_runtimes"},
    "lite_vton_training": {"lite_vton_training", "lite_vton"},
}

FRONT_DOOR = ("lite_vton.workflows", "lite_vton.cli")
"""Beside the face, `lite_vton/__init__`, the only rooms of `lite_vton` that reach for the other three packages."""

ROOMS = {
    "lite_vton": (
        "version errors atomic messages libraries files category presets bundle photo person garment "
        "mask worn warp tryon model data workflows cli"
    ),
    "lite_vton_runtimes": (
        "base tensors memory sampling fused networks one_at_a_time coreai onnxruntime openvino tensorrt torch backends "
        "session benchmark server"
    ),
    "lite_vton_export": (
        "options formats parity precision fused manifest verify coreai onnx openvino tensorrt coreml bundle"
    ),
    "lite_vton_training": "loop dataset mix distillation trainers metrics reproduce demo",
}

NEVER_IN_RUNTIMES = ("lite_vton.model", "torch")


@dataclass(frozen=True)
class Import:
    """One import statement: who, whom, whether inside a function, and whether only for type checkers."""

    importer: str
    module: str
    deferred: bool
    for_types: bool


@cache
def modules() -> dict[str, Path]:
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            dotted = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
            found[dotted.removesuffix(".__init__")] = path
    return found


@cache
def imports() -> tuple[Import, ...]:
    known = modules()
    found: list[Import] = []
    for name, path in known.items():
        found.extend(_statements(name, ast.parse(path.read_text(encoding="utf-8")), known))
    return tuple(found)


def _statements(name: str, tree: ast.Module, known: dict[str, Path]) -> Iterator[Import]:
    def visit(node: ast.AST, deferred: bool, for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(name, alias.name, deferred, for_types)
            elif isinstance(child, ast.ImportFrom) and child.module:
                for alias in child.names:
                    inner = f"{child.module}.{alias.name}"
                    yield Import(name, inner if inner in known else child.module, deferred, for_types)
            types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from visit(child, deferred or inside, for_types or types)

    yield from visit(tree, False, False)


def package_of(module: str) -> str:
    return module.partition(".")[0]


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_the_arrows_allow(package: str) -> None:
    for row in imports():
        if package_of(row.importer) != package or room_of(row.importer) in ("lite_vton", *FRONT_DOOR):
            continue
        if package_of(row.module) in PACKAGES:
            assert package_of(row.module) in MAY_IMPORT[package], f"{row.importer} imports {row.module}"


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_import_only_rooms_before_them(package: str) -> None:
    order = [f"{package}.{room}" for room in ROOMS[package].split()]
    rooms = {room_of(name) for name in modules() if package_of(name) == package} - {package}
    assert rooms == set(order), "a room is missing from ROOMS, or is gone"
    for row in imports():
        if package_of(row.importer) == package == package_of(row.module) and row.importer != package:
            importer, module = room_of(row.importer), room_of(row.module)
            if module != package and not row.for_types:
                assert order.index(module) <= order.index(importer), f"{row.importer} imports {row.module}"


def test_no_module_imports_itself_in_a_circle() -> None:
    arrows: dict[str, set[str]] = {}
    for row in imports():
        if row.module in modules() and not row.for_types:
            arrows.setdefault(row.importer, set()).add(row.module)
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for other in sorted(arrows.get(module, ())):
                walk(other, (*path, module))
            done.add(module)

    for module in sorted(arrows):
        walk(module, ())


def test_nobody_but_the_command_line_imports_the_command_line() -> None:
    for row in imports():
        if room_of(row.module) == "lite_vton.cli":
            assert room_of(row.importer) == "lite_vton.cli", f"{row.importer} imports {row.module}"


def test_imports_inside_functions_keep_something_heavy_away() -> None:
    """What is imported late loads something that the importer has not loaded."""
    for row in imports():
        if row.deferred and row.module in modules():
            late = loaded_by(row.module) - loaded_by(row.importer)
            assert late, f"{row.importer} imports {row.module} inside a function, and could at its top"


@cache
def loaded_by(module: str) -> frozenset[str]:
    """The foreign packages that importing one of our modules loads."""
    loaded: set[str] = set()
    waiting, seen = [module], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            ours, foreign = at_the_top()[name]
            waiting.extend(ours)
            loaded.update(foreign)
    return frozenset(loaded)


@cache
def at_the_top() -> dict[str, tuple[set[str], set[str]]]:
    """What each module imports as it is loaded: modules of ours, and foreign packages."""
    known = modules()
    found: dict[str, tuple[set[str], set[str]]] = {name: (set(), set()) for name in known}
    for row in imports():
        if not row.deferred and not row.for_types:
            ours, foreign = found[row.importer]
            if row.module in known:
                ours.add(row.module)
            elif package_of(row.module) not in sys.stdlib_module_names:
                foreign.add(package_of(row.module))
    return found


def test_runtimes_know_neither_torch_nor_the_models() -> None:
    for row in imports():
        if package_of(row.importer) != "lite_vton_runtimes" or room_of(row.importer) == "lite_vton_runtimes.torch":
            continue
        assert not any(row.module == name or row.module.startswith(name + ".") for name in NEVER_IN_RUNTIMES), row


def test_importing_the_front_door_imports_no_torch() -> None:
    code = "import sys, lite_vton, lite_vton.cli; sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_page_of_the_architecture_shows_these_packages_and_rooms() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    arrows = {tuple(line.split(" --> ")) for line in page.splitlines() if " --> " in line}
    assert {(importer.strip(), module) for importer, module in arrows} == {
        (importer, module) for importer, allowed in MAY_IMPORT.items() for module in allowed - {importer}
    }
    for package, rooms in ROOMS.items():
        section = page.split(f"\n## `{package}`\n")[1].split("\n## ")[0]
        assert _first_sentences(package) in section
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| [")]
        assert [(row[0].split("`")[1], row[1].removesuffix(" |")) for row in rows] == [
            (room, _first_sentences(f"{package}.{room}")) for room in rooms.split()
        ]


def _first_sentences(module: str) -> str:
    """The first paragraph of a module's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(modules()[module].read_text(encoding="utf-8")))
    assert docstring, f"{module} does not say what lives there"
    return " ".join(docstring.split("\n\n")[0].split())


@pytest.mark.parametrize("package", PACKAGES)
def test_no_level_has_more_than_twenty_rooms(package: str) -> None:
    for folder in (PACKAGES[package], *(path for path in PACKAGES[package].rglob("*") if path.is_dir())):
        rooms = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
        assert len(rooms - {"__init__", "__main__"}) <= 20, folder
