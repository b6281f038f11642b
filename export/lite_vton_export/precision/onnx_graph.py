"""An ONNX graph opened to be read, with the shapes of all values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError

if TYPE_CHECKING:
    import onnx


__all__ = ["opened_graph", "with_shapes"]


def opened_graph(path: Path) -> onnx.ModelProto:
    """An ONNX file without the weights that lie beside it; a `UserError` for what is none."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types

    try:
        return onnx.load(path, load_external_data=False)
    except (DecodeError, OSError) as error:
        raise UserError(f"{path.name} is not a readable ONNX file ({error}): export it again") from error


def with_shapes(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """The same with the shapes of its values, as far as they can be told; a `UserError` for a graph that is broken."""
    from onnx import shape_inference

    try:
        return shape_inference.infer_shapes(model)
    except (shape_inference.InferenceError, RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path.name} is not a sound ONNX graph ({reason}): export it again") from error
