"""The precision an OpenVINO file really has: what its weights are stored in, and what the CPU computes them in.

Neither alone tells the truth. OpenVINO chooses the precision of a float network when it compiles it, whatever is
stored, and quantised weights are of no use where the activations are not. So the file is compiled as the runtime
does, and each product is looked up in the graph that OpenVINO will really execute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import openvino as ov

from lite_vton_export.precision.shares import Product, Shares, overall, shares_of
from lite_vton_runtimes.openvino.runtime import compiled, has_half, read

__all__ = ["found_openvino_precision", "openvino_metadata", "openvino_shares", "weights_of"]

_PRODUCTS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul")
_MOVING = ("Convert", "Multiply", "Subtract", "Reshape", "Transpose", "FakeQuantize")
"""What stands between a weight and its product: widening, scaling, turning."""
_LAYERS = ("Convolution", "Deconvolution", "FullyConnected", "MatMul")
"""What OpenVINO's CPU plugin calls them once compiled."""
_HALVES: Mapping[str, str] = MappingProxyType({"bf16": "bfloat16", "fp16": "float16"})
_STORED: Mapping[str, str] = MappingProxyType(
    {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "i8": "int8", "u8": "int8", "i4": "int4", "u4": "int4"}
)
_EXECUTED: Mapping[str, str] = MappingProxyType(
    {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "i8": "int8", "u8": "int8"}
)


def found_openvino_precision(path: Path) -> str:
    """The precision of a `model.xml` in one word, as `lite_vton_export.precision.shares.overall` finds it.

    Of what this CPU computes; only half-precision weights count as such also where it cannot compute so.
    """
    shares = openvino_shares(path)
    return overall(shares.weights if shares.note else shares.multiplications)


def openvino_shares(path: Path, *, half: bool | None = None) -> Shares:
    """Which share of a file's weights is stored, and of its multiplications is computed, in which precision.

    "int8" is what is stored and computed so, "w8" what is only stored so. The note says where a file in half
    precision is computed in float32, for the CPU has no such numbers; `half` tells whether it has, None to ask it. What
    cannot be told apart in OpenVINO's graph counts as computed in what it is stored in. Raises `UserError` for damaged
    files.
    """
    model = read(path)
    products = list(_products(model))
    kinds = {_kind(op) for op in products}
    precision = next((kind for kind in ("int8", *_HALVES) if kind in kinds), "fp32")
    able = has_half(precision) if half is None else half
    executed = _executed(compiled(model, precision, half=able))
    found = []
    for op in products:
        (constant,) = _constants(op)
        kind = _kind(op)
        names = [name for name in _names(op) if name in executed]
        computed = executed[names[0]] if names else kind
        if kind == "int8" and computed != "int8":
            kind = computed = "w8"
        weights = math.prod(tuple[int, ...](constant.output(0).get_shape()))
        positions = _multiplied_at(op)
        found.append(Product(constant.get_friendly_name(), kind, computed, weights, weights * positions))
    note = "" if able or precision not in _HALVES else f"computed in fp32 here: this CPU has no {_HALVES[precision]}"
    return shares_of(found, note)


def openvino_metadata(path: Path) -> dict[str, str]:
    """The file's own short copy of the manifest, by key. Raises `UserError` for damaged files."""
    model = read(path)
    if not model.has_rt_info(["lite_vton"]):
        return {}
    return {key: value.astype(str) for key, value in model.get_rt_info(["lite_vton"]).astype(dict).items()}


def weights_of(model: ov.Model) -> list[ov.Node]:
    """The constants that a model's products take as weights, each once."""
    found = {constant.get_friendly_name(): constant for op in _products(model) for constant in _constants(op)}
    return list(found.values())


def _products(model: ov.Model) -> Iterator[ov.Node]:
    return (op for op in model.get_ordered_ops() if op.get_type_name() in _PRODUCTS and any(_constants(op)))


def _constants(product: ov.Node) -> list[ov.Node]:
    """The constant behind a product's second input, without scales and zero points; none for two activations."""
    node = product.input_value(1).get_node()
    while node.get_type_name() in _MOVING:
        node = node.input_value(0).get_node()
    return [node] if node.get_type_name() == "Constant" else []


def _kind(product: ov.Node) -> str:
    (constant,) = _constants(product)
    name = constant.get_element_type().get_type_name()
    return _STORED.get(name, name)


def _multiplied_at(product: ov.Node) -> int:
    """At how many places each weight is used."""
    kind = product.get_type_name()
    port = product.input(0) if "BackpropData" in kind else product.output(0)
    shape: tuple[int, ...] = tuple(port.get_shape())
    return math.prod(shape[:-1] if kind == "MatMul" else shape[2:])


def _names(product: ov.Node) -> list[str]:
    """What OpenVINO may call the layer it makes of a product: after it, or after the sum that adds the bias."""
    users = [port.get_node() for port in product.output(0).get_target_inputs()]
    own = product.get_friendly_name()
    sums = [user.get_friendly_name() for user in users if user.get_type_name() == "Add"]
    return [own, own.removesuffix("/WithoutBiases"), *sums]


def _executed(model: ov.CompiledModel) -> dict[str, str]:
    """By the names that products have in the file, the precision of the layer that OpenVINO made of them."""
    found = {}
    for layer in model.get_runtime_model().get_ops():
        about = layer.get_rt_info()
        if about["layerType"].astype(str) in _LAYERS:
            precision = about["runtimePrecision"].astype(str)
            for name in about["originalLayersNames"].astype(str).split(","):
                found[name] = _EXECUTED.get(precision, precision)
    return found
