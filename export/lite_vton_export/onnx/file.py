"""An ONNX model to its file, the weights beside it where one file cannot hold them."""

from __future__ import annotations

import math
from pathlib import Path

import onnx
from onnx import helper

__all__ = ["save_onnx", "weights_beside"]

_ONE_FILE = 2_000_000_000  # bytes; protobuf ends at 2 GiB, and the graph itself needs some


def save_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Write `model`; weights above 2 GB go to `weights_beside(path)`, and the model then names that file."""
    if _weight_bytes(model) <= _ONE_FILE:
        onnx.save(model, path)
    else:
        onnx.save(model, path, save_as_external_data=True, location=weights_beside(path).name)


def weights_beside(path: Path) -> Path:
    """Where the weights of the ONNX file `path` are if they are not in it: there is no such file if they are."""
    return path.with_name(f"{path.name}.data")


def _weight_bytes(model: onnx.ModelProto) -> int:
    # Not `model.ByteSize()`: protobuf (4.25) writes the whole message to count its bytes, 12 GB for 3.3 of weights.
    return sum(
        math.prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        for tensor in model.graph.initializer
    )
