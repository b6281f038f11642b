"""Which optional package comes with which extra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from lite_vton.errors import UserError
from lite_vton.libraries.installed import is_installed

__all__ = [
    "BACKEND_NEEDS",
    "DISTRIBUTIONS",
    "EXTRA_OF",
    "NEEDS_GPU",
    "VERB_NEEDS",
    "Needs",
    "can_import",
    "how_to_install",
    "installed_version",
    "missing_of",
    "require",
]

EXTRA_OF: Mapping[str, str] = MappingProxyType(
    {
        "torch": "export",
        "diffusers": "export",
        "transformers": "export",
        "onnx": "export",
        "onnxscript": "export",
        "safetensors": "export",
        "openvino": "openvino",
        "nncf": "openvino",
        "polygraphy": "tensorrt",
        "tensorrt_rtx": "tensorrt",
        "mediapipe": "photos",
        "pillow_heif": "heic",
        "skia": "data",
        "scipy": "data",
        "accelerate": "train",
        "torchmetrics": "train",
        "matplotlib": "chart",
        "coreai": "coreai",
        "coreai_torch": "coreai",
        "coremltools": "coreml",
        "sklearn": "coreml",
        "fastapi": "serve",
        "uvicorn": "serve",
        "python_multipart": "serve",
        "prometheus_client": "serve",
        "fastapi_swagger": "serve",
    }
)
"""Import name of each optional package to the smallest extra that brings it."""

DISTRIBUTIONS: Mapping[str, str] = MappingProxyType(
    {
        "skia": "skia-python",
        "cv2": "opencv-python-headless",
        "PIL": "pillow",
        "pillow_heif": "pillow-heif",
        "coreai": "coreai-core",
        "coreai_torch": "coreai-torch",
        "tensorrt_rtx": "tensorrt-rtx",
        "sklearn": "scikit-learn",
        "python_multipart": "python-multipart",
        "prometheus_client": "prometheus-client",
        "fastapi_swagger": "fastapi-swagger",
    }
)
"""Packages that are installed under another name than they are imported."""

BACKEND_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "onnxruntime": ("onnxruntime",),
        "openvino": ("openvino",),
        "tensorrt": ("polygraphy", "tensorrt_rtx|tensorrt"),
        "torch": ("torch", "diffusers", "safetensors"),
        "coreai": ("coreai",),
    }
)
"""What has to be importable for each backend of `lite_vton.BACKENDS`; "a|b" where one of two will do."""

NEEDS_GPU = frozenset({"tensorrt"})
"""Backends that run on an NVIDIA GPU alone."""


@dataclass(frozen=True)
class Needs:
    """The extras that bring everything a verb takes, comma-separated, and the packages it cannot do without."""

    extras: str
    packages: tuple[str, ...]


_NETWORKS = ("torch", "diffusers", "safetensors")
VERB_NEEDS: Mapping[str, Needs] = MappingProxyType(
    {
        "demo": Needs("demo", (*_NETWORKS, "onnx", "onnxscript", "skia")),
        "import": Needs("export", (*_NETWORKS, "transformers")),
        "import of ONNX files": Needs("export,data", (*_NETWORKS, "onnx", "skia")),
        "train": Needs("train", (*_NETWORKS, "accelerate")),
        "distill": Needs("train", (*_NETWORKS, "accelerate")),
        "few-steps": Needs("train", (*_NETWORKS, "accelerate")),
        "eval": Needs("train", (*_NETWORKS, "torchmetrics", "scipy")),
        "eval on drawn pairs": Needs("train", ("skia",)),
        "export": Needs("export,data", (*_NETWORKS, "skia")),
        "inspect --ranges": Needs("export", ("onnx",)),
        "sheet": Needs("photos", ("mediapipe",)),
        "data synthesize": Needs("data", ("skia",)),
        "data garments --worn": Needs("photos", ("mediapipe",)),
        "data ccp": Needs("data,photos", ("scipy", "mediapipe")),
    }
)
"""What is missing is said before any work. The other verbs need the base alone, or say what single backends, formats
and pictures take: `formats`, `models`, `doctor`, `verify`, `benchmark`, `run`, `serve`, `data garments`."""


def require(verb: str) -> None:
    """A `UserError` that names the extra of `verb`, a row of `VERB_NEEDS`, where a package it needs is missing."""
    needs = VERB_NEEDS[verb]
    missing = missing_of(needs.packages)
    if missing:
        raise UserError(f"{verb} needs {', '.join(missing)}: pip install 'lite-vton[{needs.extras}]'")


def can_import(package: str) -> bool:
    """Whether importing `package` works, by importing it; for what is wanted at the end of long work."""
    try:
        import_module(package)
    except ImportError:
        return False
    return True


def missing_of(needs: Iterable[str]) -> list[str]:
    """Those packages of `needs` that are not installed, of "a|b" the first where neither is."""
    choices = [need.split("|") for need in needs]
    return [packages[0] for packages in choices if not any(installed_version(package) for package in packages)]


def how_to_install(missing: Iterable[str]) -> str:
    """The command that brings these packages; empty for none."""
    packages = list(missing)
    if not packages:
        return ""
    extras = ",".join(dict.fromkeys(EXTRA_OF[package] for package in packages if package in EXTRA_OF))
    return f"pip install 'lite-vton[{extras}]'" if extras else f"pip install {' '.join(packages)}"


def installed_version(module: str) -> str | None:
    """Version of an importable package, None if there is none; the package itself is not imported."""
    if not is_installed(module):
        return None
    try:
        return version(DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:
        return "unknown"
