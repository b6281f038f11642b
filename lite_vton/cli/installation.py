"""What this machine and its Python environment offer."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from lite_vton.cli.extras import BACKEND_NEEDS, EXTRA_OF, installed_version
from lite_vton.version import __version__
from runtimes.nvidia import first_gpu

__all__ = ["Ability", "Installation", "Package", "examine"]

_GPU_ONLY = "tensorrt"
"""The backend that packages alone do not make usable."""
_BASE = ("numpy", "PIL", "pydantic", "typer", "rich", "cv2", "onnxruntime")


@dataclass(frozen=True)
class Package:
    """One package; `version` is None where it is missing, and `install` then says how to get it."""

    name: str
    version: str | None
    install: str


@dataclass(frozen=True)
class Ability:
    """One backend or format, whether what it needs is here, and else what to do."""

    name: str
    precisions: tuple[str, ...]
    usable: bool
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

    from lite_vton.cli.weights import ASSETS

    shipped = sorted(path.name for path in ASSETS.glob("*.safetensors"))
    return {
        "lite-vton": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "threads": str(_threads()),
        "memory": _memory(),
        "ONNX Runtime providers": ", ".join(onnxruntime.get_available_providers()),
        "NVIDIA GPU": str(first_gpu() or "none"),
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
    from export.formats import FORMATS
    from lite_vton import BACKENDS

    backends = [
        _ability(f"run on {name}", backend.precisions, BACKEND_NEEDS.get(name, ()))
        for name, backend in BACKENDS.items()
    ]
    if first_gpu() is None:
        gpu_only = f"run on {_GPU_ONLY}"
        backends = [
            replace(row, usable=False, install=row.install or "it needs an NVIDIA GPU") if row.name == gpu_only else row
            for row in backends
        ]
    formats = [_ability(f"export {row.name}", row.precisions, row.needs) for row in FORMATS.values()]
    others = [
        _ability("train and distill", ("fp32",), ("torch", "diffusers", "accelerate", "torchmetrics")),
        _ability("draw pairs", (), ("skia",)),
        _ability("charts", (), ("matplotlib",)),
    ]
    return (*backends, *formats, *others)


def _ability(name: str, precisions: tuple[str, ...], needs: tuple[str, ...]) -> Ability:
    choices = [need.split("|") for need in needs]
    missing = [packages[0] for packages in choices if not any(installed_version(package) for package in packages)]
    extras = ",".join(dict.fromkeys(EXTRA_OF[package] for package in missing if package in EXTRA_OF))
    return Ability(name, precisions, not missing, f"pip install 'lite-vton[{extras}]'" if missing else "")
