"""What this machine and its Python environment offer."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.version import __version__
from lite_vton.workflows.backends import what_lacks
from lite_vton.workflows.extras import BACKEND_NEEDS, EXTRA_OF, how_to_install, installed_version, missing_of
from lite_vton.workflows.weights import ASSETS
from lite_vton_export.formats import FORMATS
from lite_vton_runtimes.backends import BACKENDS
from lite_vton_runtimes.tensorrt.nvidia import first_gpu

if TYPE_CHECKING:
    from lite_vton_export.formats import Format

__all__ = ["Ability", "Installation", "Package", "examine"]

_BASE = ("numpy", "PIL", "pydantic", "typer", "rich", "cv2", "onnxruntime")


@dataclass(frozen=True)
class Package:
    """One package; `version` is None where it is missing, and `install` then says how to get it."""

    name: str
    version: str | None
    install: str


@dataclass(frozen=True)
class Ability:
    """One backend or format, and whether what it needs is here.

    `versions` are those of the packages it needs that are installed, `install` says what is missing and how to get it.
    """

    name: str
    precisions: tuple[str, ...]
    usable: bool
    versions: dict[str, str]
    install: str


@dataclass(frozen=True)
class Installation:
    """Everything `lite-vton doctor` tells."""

    machine: dict[str, str]
    packages: tuple[Package, ...]
    abilities: tuple[Ability, ...]


def examine() -> Installation:
    """Look around. Of the packages only onnxruntime is imported, for the providers it was built with."""
    return Installation(_machine(), tuple(_package(name) for name in (*_BASE, *EXTRA_OF)), _abilities())


def _machine() -> dict[str, str]:
    import onnxruntime

    shipped = sorted(path.name for path in ASSETS.glob("*.safetensors"))
    return {
        "lite-vton": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "threads": str(_threads()),
        "memory": _memory(),
        "GPU": str(first_gpu() or "no NVIDIA GPU"),
        "ONNX Runtime providers": ", ".join(onnxruntime.get_available_providers()),
        "trained weights": ", ".join(shipped) or "none",
    }


def _threads() -> int:
    # What this process may use, which in a container is less than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown"
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text))
    return f"{total / 2**30:.1f} GiB"


def _package(name: str) -> Package:
    found = installed_version(name)
    extra = EXTRA_OF.get(name)
    command = "pip install lite-vton" if extra is None else f"pip install 'lite-vton[{extra}]'"
    return Package(name, found, "" if found else command)


def _abilities() -> tuple[Ability, ...]:
    backends = [
        _ability(f"run on {name}", backend.precisions, BACKEND_NEEDS.get(name, ()), what_lacks(name))
        for name, backend in BACKENDS.items()
    ]
    formats = [
        _ability(f"export {row.name}", row.precisions, row.needs, _format_lacks(row)) for row in FORMATS.values()
    ]
    others = {
        "train and distill": (("fp32",), ("torch", "diffusers", "accelerate", "torchmetrics")),
        "draw pairs": ((), ("skia",)),
        "charts": ((), ("matplotlib",)),
        "serve a page": ((), ("fastapi", "uvicorn", "python_multipart")),
    }
    more = [
        _ability(name, precisions, needs, how_to_install(missing_of(needs)) or None)
        for name, (precisions, needs) in others.items()
    ]
    return (*backends, *formats, *more)


def _format_lacks(row: Format) -> str | None:
    missing = missing_of(row.needs)
    return f"needs {', '.join(missing)}: pip install 'lite-vton[{row.extra}]'" if missing else None


def _ability(name: str, precisions: tuple[str, ...], needs: tuple[str, ...], lacks: str | None) -> Ability:
    packages = [package for need in needs for package in need.split("|")]
    versions = {package: found for package in packages if (found := installed_version(package)) is not None}
    return Ability(name, precisions, lacks is None, versions, lacks or "")
