"""Which kinds of operation fp16 leaves in float32, in one table for every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


__all__ = ["FP32_NODES", "FP32_OPS", "PRODUCTS"]


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

FP32_NODES = "lite_vton.fp32_nodes"
"""Metadata of an fp16 file: its products that are in float32 on purpose, a JSON list of names of nodes."""

PRODUCTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""Operator kinds that multiply matrices: where nearly all of a network's time goes."""

FP16_MAX = 65504.0
