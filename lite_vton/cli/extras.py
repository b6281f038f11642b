"""Which optional package comes with which extra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import MappingProxyType

__all__ = [
    "BACKEND_NEEDS",
    "DISTRIBUTIONS",
    "EXTRA_OF",
    "NEEDS_GPU",
    "how_to_install",
    "installed_version",
    "missing_of",
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
    if find_spec(module) is None:
        return None
    try:
        return version(DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:
        return "unknown"
