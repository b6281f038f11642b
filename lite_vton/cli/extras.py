"""Which optional package comes with which extra."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import MappingProxyType

__all__ = ["BACKEND_NEEDS", "DISTRIBUTIONS", "EXTRA_OF", "installed_version"]

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
        "skia": "data",
        "accelerate": "train",
        "torchmetrics": "train",
        "matplotlib": "chart",
        "coreai": "coreai",
        "coreai_torch": "coreai",
        "coremltools": "coreml",
        "sklearn": "coreml",
    }
)
"""Import name of each optional package to the smallest extra that brings it."""

DISTRIBUTIONS: Mapping[str, str] = MappingProxyType(
    {
        "skia": "skia-python",
        "cv2": "opencv-python-headless",
        "PIL": "pillow",
        "coreai": "coreai-core",
        "coreai_torch": "coreai-torch",
        "sklearn": "scikit-learn",
    }
)
"""Packages that are installed under another name than they are imported."""

BACKEND_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "onnxruntime": ("onnxruntime",),
        "openvino": ("openvino",),
        "torch": ("torch", "diffusers", "safetensors"),
        "coreai": ("coreai",),
    }
)
"""What has to be importable for each backend of `lite_vton.BACKENDS`."""


def installed_version(module: str) -> str | None:
    """Version of an importable package, None if there is none; the package itself is not imported."""
    if find_spec(module) is None:
        return None
    try:
        return version(DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:
        return "unknown"
