"""Which package may import which: data flows from training to export to runtimes, and never back."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "lite_vton": {"lite_vton"},
    "runtimes": {"runtimes", "lite_vton"},
    "export": {"export", "lite_vton", "runtimes"},
    "training": {"training", "lite_vton"},
}
FRONT_DOOR = ("lite_vton/__init__.py", "lite_vton/cli/")
NEVER_IN_RUNTIMES = ("lite_vton.model", "torch")


def imported_modules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def python_files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_the_arrows_allow(package: str) -> None:
    for path in python_files(package):
        relative = path.relative_to(ROOT).as_posix()
        if relative.startswith(FRONT_DOOR):
            continue
        for module in imported_modules(path):
            top = module.partition(".")[0]
            if top in MAY_IMPORT:
                assert top in MAY_IMPORT[package], f"{relative} imports {module}"


def test_runtimes_know_neither_torch_nor_the_models() -> None:
    for path in python_files("runtimes"):
        for module in imported_modules(path):
            if path.name == "torch_runtime.py" and module.startswith("torch"):
                continue
            assert not any(module == name or module.startswith(name + ".") for name in NEVER_IN_RUNTIMES), path


def test_importing_the_front_door_imports_no_torch() -> None:
    code = "import sys, lite_vton, lite_vton.cli; sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
