"""fp16 as mixed precision in Core ML: which operations of a MIL program stay in float32, and the found precision.

The rule is ONNX's (`lite_vton_export.onnx.half`), so that an fp16 package and an fp16 ONNX file round at the same
places: products and what lies between them in half, statistics and the timestep's angles in single.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from lite_vton_export.coreml.package import Package, opened_package, operands_of, type_name
from lite_vton_export.precision.rules import FP32_OPS
from lite_vton_export.precision.shares import MOST, Product, Shares, overall, shares_of

if TYPE_CHECKING:
    from coremltools.converters.mil.mil import Operation, Var

__all__ = ["FP32_KINDS", "PRODUCTS", "coreml_shares", "float16_selector", "found_coreml_precision", "stays_float32"]

_MIL_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "InstanceNormalization": ("instance_norm",),
        "LayerNormalization": ("layer_norm",),
        "BatchNormalization": ("batch_norm",),
        "ReduceMean": ("reduce_mean",),
        "ReduceSum": ("reduce_sum",),
        "ReduceSumSquare": ("reduce_sum_square",),
        "ReduceL2": ("reduce_l2_norm", "l2_norm"),
        "CumSum": ("cumsum",),
        "Softmax": ("softmax",),
        "LogSoftmax": ("reduce_log_sum_exp",),
        "Exp": ("exp",),
        "Log": ("log",),
        "Pow": ("pow", "square"),
        "Sqrt": ("sqrt", "rsqrt"),
        "Reciprocal": ("inverse",),
        "Sin": ("sin",),
        "Cos": ("cos",),
        "Range": ("range_1d",),
    }
)
FP32_KINDS: Mapping[str, str] = MappingProxyType(
    {mil: FP32_OPS[onnx] for onnx, row in _MIL_KINDS.items() for mil in row}
)
"""MIL's operation kinds kept in float32, and why."""

PRODUCTS: Mapping[str, str] = MappingProxyType(
    {"conv": "weight", "conv_transpose": "weight", "linear": "weight", "matmul": "y", "einsum": "values"}
)
"""Operation kinds that multiply matrices, and the operand that holds the weights where there are any."""

# Group normalisation comes out of coremltools 9.0 as these and plain arithmetic around them. A deviation from the mean
# taken in half would have lost its digits before it is squared.
_STATISTICS = frozenset({"reduce_mean", "reduce_sum", "reduce_sum_square", "square", "sqrt", "rsqrt", "inverse"})
_ARITHMETIC = frozenset({"add", "sub", "mul", "real_div"})


def _nothing(_name: str) -> bool:
    return False


def stays_float32(op: Operation, unsafe: Callable[[str], bool] = _nothing) -> bool:
    """Whether one operation of a float32 MIL program is to stay in float32 when the others become float16.

    By its kind (`FP32_KINDS`), as arithmetic on a statistic, or by name, for what was measured in one network to be
    beyond float16 (`lite_vton_export.coreml.unsafe_operations`). What follows from others is `float16_selector`'s to
    know.
    """
    if op.op_type in FP32_KINDS or unsafe(op.name):
        return True
    return op.op_type in _ARITHMETIC and any(maker.op_type in _STATISTICS for maker in _makers(op))


def float16_selector(unsafe: Callable[[str], bool] = _nothing) -> Callable[[Operation], bool]:
    """What `coremltools.transform.FP16ComputePrecision` asks of every operation: whether float16 is for it."""
    from_timestep, beyond = _FromIntegers(), _Beyond(unsafe)
    return lambda op: (
        not (stays_float32(op, unsafe) or beyond(op) or (op.op_type not in PRODUCTS and from_timestep(op)))
    )


class _Beyond:
    """Whether an operation works on what has to be float32 because it goes beyond float16, up to the next weights.

    As in torch, where what is computed of float32 is float32 until a layer in half takes it. Remembers, by name.
    """

    def __init__(self, unsafe: Callable[[str], bool]) -> None:
        self._unsafe = unsafe
        self._known: dict[str, bool] = {}

    def __call__(self, op: Operation) -> bool:
        if op.name not in self._known:
            self._known[op.name] = self._unsafe(op.name) or (
                not _has_weights(op) and any(var.op is not None and self(var.op) for var in operands_of(op))
            )
        return self._known[op.name]


def _has_weights(op: Operation) -> bool:
    operand = op.inputs.get(PRODUCTS.get(op.op_type, ""))
    return operand is not None and not isinstance(operand, list | tuple) and _kind(operand) is not None


class _FromIntegers:
    """Whether an operation works on what was made of an integer input without a product between.

    Remembers what it said, by name: the pass goes through the operations in their order, so each is one step back.
    """

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def __call__(self, op: Operation) -> bool:
        return any(self._is_made_of_integers(var) for var in operands_of(op))

    def _is_made_of_integers(self, var: Var) -> bool:
        if var.op is None:
            return str(var.dtype).find("int") >= 0
        if var.op.op_type in PRODUCTS or var.op.op_type == "const":
            return False
        if var.name not in self._known:
            self._known[var.name] = self(var.op)
        return self._known[var.name]


def _makers(op: Operation) -> Iterator[Operation]:
    """The operations whose results an operation takes, seen through casts."""
    for var in operands_of(op):
        maker = var.op
        while maker is not None and maker.op_type == "cast":
            maker = maker.inputs["x"].op
        if maker is not None:
            yield maker


def found_coreml_precision(path: Path) -> str:
    """The precision a package computes in: "fp32", "fp16", "p8", "p6", "p4" or "w8", read from its program.

    Decided by the products, as `lite_vton_export.precision.shares.overall` does. As many float32 products as the
    package says it keeps (`FP32_PRODUCTS`) do not count, if they are less than half of the work. Raises `UserError` for
    what is no whole package.
    """
    package = opened_package(path)
    products = list(_products(package))
    shares = shares_of(products).multiplications
    wide = sum(product.computed == "fp32" for product in products)
    if set(shares) == {"fp16", "fp32"} and shares["fp16"] > MOST and wide <= package.float32_products:
        return "fp16"
    return overall(shares)


def coreml_shares(path: Path) -> Shares:
    """Which share of a package's weights and multiplications is in which precision.

    Weights that are looked up in a palette of 2^n numbers count as "pn", linear 8-bit ones as "w8", whatever they are
    expanded to. Raises `UserError` for what is no whole package.
    """
    return shares_of(_products(opened_package(path)))


def _products(package: Package) -> Iterator[Product]:
    for op in package.function.operations:
        if op.op_type not in PRODUCTS:
            continue
        operand = op.inputs[PRODUCTS[op.op_type]]
        for weight in operand if isinstance(operand, list | tuple) else (operand,):
            kind = _kind(weight)
            if kind is not None:
                size = math.prod(weight.shape)
                yield Product(weight.name, kind, kind, size, size * _positions(op))


_MOVING = frozenset({"transpose", "reshape", "expand_dims", "squeeze", "identity"})
_FLOATS: Mapping[str, str] = MappingProxyType({"fp32": "fp32", "fp16": "fp16"})


def _kind(var: Var) -> str | None:
    """The precision of a constant, followed through what only moves it; None for what is none."""
    op = var.op
    if op is None:
        return None
    if op.op_type in _MOVING:
        return _kind(op.inputs["x"])
    if op.op_type == "constexpr_lut_to_dense":
        lut = op.inputs["lut"]
        # iOS 16 and 17 have one palette of 2^n numbers; iOS 18 tensors (..., 2^n, length of a vector).
        entries = lut.shape[0] if len(lut.shape) == 1 else lut.shape[-2]
        return f"p{int(math.log2(entries))}"
    if op.op_type == "constexpr_affine_dequantize":
        return "w8"
    if op.op_type == "constexpr_blockwise_shift_scale":
        return "w8" if type_name(op.inputs["data"]) in ("int8", "uint8") else f"w{type_name(op.inputs['data'])}"
    if op.op_type in ("const", "cast", "constexpr_cast"):
        is_constant = op.op_type != "cast" or _kind(op.inputs["x"]) is not None
        return _FLOATS.get(type_name(var), "unknown") if is_constant else None
    return None


def _positions(op: Operation) -> int:
    """How often each weight is used: once a position of the output, of the input for a transposed convolution."""
    if op.op_type == "conv":
        positions = op.outputs[0].shape[2:]
    elif op.op_type == "conv_transpose":
        positions = op.inputs["x"].shape[2:]
    else:
        positions = op.outputs[0].shape[:-1]
    return math.prod(int(side) for side in positions)
