"""fp16 as mixed precision by rule, and the precision an ONNX file really has.

Weights and the heavy products (Conv, MatMul, Gemm) become float16; the kinds in `FP32_OPS` and the timestep
embedding stay float32. Inputs and outputs stay float32 too, so that every backend shares one sampler.
The work is onnxruntime's `float16` converter; what is ours is the rule and the checks around it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from lite_vton.errors import UserError

if TYPE_CHECKING:
    import onnx

__all__ = ["FP32_OPS", "PRODUCTS", "found_precision", "overall", "precision_shares", "to_mixed_fp16"]

_STATISTICS = "sums over thousands of values: float16 has 11 bits of mantissa and stops at 65504"
_STEEP = "steep or unbounded: overflows or loses everything near the ends of float16"
_ANGLES = "angles reach the timestep itself; at 599 a float16 step is 0.5 radian"
FP32_OPS: dict[str, str] = {
    "InstanceNormalization": _STATISTICS,  # what group normalisation becomes up to opset 20
    "GroupNormalization": _STATISTICS,
    "LayerNormalization": _STATISTICS,
    "RMSNormalization": _STATISTICS,
    "BatchNormalization": _STATISTICS,
    "ReduceMean": _STATISTICS,
    "ReduceSum": _STATISTICS,
    "ReduceSumSquare": _STATISTICS,
    "ReduceL2": _STATISTICS,
    "CumSum": _STATISTICS,
    "Softmax": _STEEP,
    "LogSoftmax": _STEEP,
    "Exp": _STEEP,
    "Log": _STEEP,
    "Pow": _STEEP,
    "Sqrt": _STEEP,
    "Reciprocal": _STEEP,
    "Sin": _ANGLES,
    "Cos": _ANGLES,
    "Range": "makes exact counts; integers above 2048 are not exact in float16",
}
"""Operator kinds kept in float32, and why."""

PRODUCTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operator kinds that multiply matrices: where nearly all of a network's time goes."""

_FP16_MAX = 65504.0
_MOST = 0.5
"""Share of the multiplications above which a precision of `_PARTIAL` gives a file its name. The rest may be what
`export.float_layers` keeps in float: nearly half of the tiny presets' autoencoder, which is little else than its ends,
and a few per cent of any network worth quantising."""
_PARTIAL: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "int8": frozenset({"bf16", "fp32"}),
        "w8": frozenset({"bf16", "fp16", "fp32"}),
        "p8": frozenset({"fp16", "fp32"}),
        "p6": frozenset({"fp16", "fp32"}),
        "p4": frozenset({"fp16", "fp32"}),
        "bf16": frozenset({"fp32"}),  # OpenVINO (2026.4) has no bfloat16 transposed convolution on AVX-512
    }
)
"""Precisions that hardly ever are a whole network's, and what else may be beside them."""


def to_mixed_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """A float32 model with its weights and products in float16; `model` is not to be used afterwards.

    Raises `UserError` if a weight lies beyond float16's range, instead of clipping it.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    _check_range(model)
    converted = OnnxModel(
        convert_float_to_float16(
            model,
            keep_io_types=True,
            op_block_list=list(FP32_OPS),
            node_block_list=_timestep_embedding(model),
        )
    )
    # The converter casts to float16 and back between two neighbours that both stay float32, which would
    # round the timestep's angles after all.
    converted.remove_cascaded_cast_nodes()
    del converted.model.graph.value_info[:]  # some still name the types of the casts just removed
    converted.remove_useless_cast_nodes()
    converted.topological_sort()  # it appends its casts at the end, which the specification forbids
    result: onnx.ModelProto = converted.model
    return result


def _check_range(model: onnx.ModelProto) -> None:
    from onnx import TensorProto, numpy_helper

    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        largest = float(np.max(np.abs(numpy_helper.to_array(tensor)), initial=0.0))
        if not largest <= _FP16_MAX:  # also catches NaN
            raise UserError(
                f"weight {tensor.name!r} reaches {largest:g}, beyond float16's {_FP16_MAX:g}: "
                "export fp32, or train with weight decay"
            )


def _timestep_embedding(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes between the integer timestep and the first product, by following the data."""
    from onnx import TensorProto

    reached = {i.name for i in model.graph.input if i.type.tensor_type.elem_type == TensorProto.INT64}
    names: list[str] = []
    for node in model.graph.node:  # in topological order, as the specification wants
        if node.op_type not in PRODUCTS and any(name in reached for name in node.input):
            reached.update(node.output)
            names.append(node.name)
    return names


def found_precision(path: Path) -> str:
    """The precision an ONNX file computes in: "fp32", "fp16", "bf16", "int8" or "w8", read from its graph.

    Decided by the products, as `overall` does. Raises `UserError` for what is no ONNX file.
    """
    return overall(precision_shares(path))


def overall(shares: Mapping[str, float]) -> str:
    """One word for the shares of precisions in a network: the one there is, or "mixed fp16/fp32" and so on; or "none".

    Where some layers have to stay wider ("int8", "w8", "bf16", palettes "pn"), it is what most multiplications are in.
    """
    for kind, wider in _PARTIAL.items():
        if shares.get(kind, 0.0) > _MOST and set(shares) - {kind} <= wider:
            return kind
    if len(shares) == 1:
        return next(iter(shares))
    return f"mixed {'/'.join(sorted(shares))}" if shares else "none"


def precision_shares(path: Path) -> dict[str, float]:
    """Which share of an ONNX file's multiplications by weights is done in which precision; empty if there are none.

    A product whose weights are dequantised before it is "int8" if its activations were quantised too, as then
    runtimes compute it in integers, and "w8" if only the weights were. Raises `UserError` for what is no ONNX file.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types
    from onnx import shape_inference

    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError) as error:
        raise UserError(f"{path.name} is not a readable ONNX file ({error}): export it again") from error
    kinds = _kinds(model)
    sizes = _sizes(model)
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > _LARGE:
            tensor.ClearField("raw_data")  # shapes do not depend on it, and inference would copy it twice
    shapes = {
        value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        for graph in (shape_inference.infer_shapes(model).graph,)
        for value in (*graph.value_info, *graph.output)
    }
    quantised = _quantised_activations(model)
    counts: dict[str, float] = {}
    for node in model.graph.node:
        if node.op_type not in PRODUCTS or len(node.input) < 2 or node.input[1] not in kinds:
            continue
        kind = kinds[node.input[1]]
        if kind == "int8" and node.input[0] not in quantised:
            kind = "w8"
        shape = shapes.get(node.output[0], ())
        positions = shape[2:] if node.op_type.startswith("Conv") else shape[:-1]
        counts[kind] = counts.get(kind, 0.0) + sizes.get(node.input[1], 1) * math.prod(positions)
    total = sum(counts.values())
    return {kind: count / total for kind, count in counts.items()} if total else dict.fromkeys(counts, 0.0)


_LARGE = 1024  # bytes; nothing that a shape is computed from is larger
_MOVING = ("DequantizeLinear", "Transpose", "Reshape", "Identity", "Cast")


def _sizes(model: onnx.ModelProto) -> dict[str, int]:
    """How many numbers each constant has, followed through what only moves or converts it."""
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _MOVING and node.input[0] in sizes:
            sizes[node.output[0]] = sizes[node.input[0]]
    return sizes


def _quantised_activations(model: onnx.ModelProto) -> set[str]:
    """Tensors that were rounded to integers and back, also where they were only moved since."""
    constants = {tensor.name for tensor in model.graph.initializer}
    found: set[str] = set()
    for node in model.graph.node:
        first = node.input[0] if node.input else ""
        if (node.op_type == "DequantizeLinear" and first not in constants) or (
            node.op_type in _MOVING and first in found
        ):
            found.update(node.output)
    return found


def _kinds(model: onnx.ModelProto) -> dict[str, str]:
    """The precision of every constant, followed through the nodes that only move or dequantise it."""
    from onnx import TensorProto

    names = {
        TensorProto.FLOAT: "fp32",
        TensorProto.FLOAT16: "fp16",
        TensorProto.BFLOAT16: "bf16",
        TensorProto.INT8: "int8",
        TensorProto.UINT8: "int8",
        TensorProto.INT4: "int4",
        TensorProto.UINT4: "int4",
    }
    kinds = {i.name: names[i.data_type] for i in model.graph.initializer if i.data_type in names}
    for node in model.graph.node:
        if node.op_type in ("DequantizeLinear", "Transpose", "Reshape", "Identity") and node.input[0] in kinds:
            kinds[node.output[0]] = kinds[node.input[0]]
        elif node.op_type == "Cast" and node.input[0] in kinds:
            # What the product multiplies counts, not what the file stores.
            kinds[node.output[0]] = names.get(node.attribute[0].i, "unknown")
        elif node.op_type == "Constant" and node.attribute and node.attribute[0].t.data_type in names:
            kinds[node.output[0]] = names[node.attribute[0].t.data_type]
    return kinds
