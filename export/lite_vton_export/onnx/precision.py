"""The precision an ONNX file really has, read from its graph."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.bundle import strict_json
from lite_vton.errors import UserError
from lite_vton_export.precision.rules import FP32_NODES, PRODUCTS
from lite_vton_export.precision.shares import MOST, Product, Shares, overall, shares_of

if TYPE_CHECKING:
    import onnx

from lite_vton_export.precision.onnx_graph import opened_graph, with_shapes

__all__ = ["found_precision", "kept_in_float32", "metadata_of", "precision_shares"]


def found_precision(path: Path) -> str:
    """The precision an ONNX file computes in: "fp32", "fp16", "bf16", "int8" or "w8", read from its graph.

    Decided by the products, as `overall` does. Those that an fp16 file says it keeps in float32 (`FP32_NODES`) do not
    count, as long as they are less than half of the work. Raises `UserError` for what is no ONNX file.
    """
    shares = precision_shares(path).multiplications
    if len(shares) > 1 and shares.get("fp16", 0.0) > MOST:
        shares = precision_shares(path, without=kept_in_float32(path)).multiplications
    return overall(shares)


def precision_shares(path: Path, without: Collection[str] = ()) -> Shares:
    """Which share of an ONNX file's weights and multiplications is in which precision.

    A product whose weights are dequantised before it is "int8" if its activations were quantised too, as then
    runtimes compute it in integers, and "w8" if only the weights were. `without` names nodes that do not count. Raises
    `UserError` for what is no ONNX file.
    """
    model = opened_graph(path)
    kinds = _kinds(model)
    sizes = _sizes(model)
    for tensor in _weights(model.graph):
        if len(tensor.raw_data) > _LARGE:
            tensor.ClearField("raw_data")  # shapes do not depend on it, and inference would copy it twice
    shapes = {
        value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        for graph in _graphs(with_shapes(model, path).graph)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    return shares_of(product for node, product in _products(model, kinds, sizes, shapes) if node not in without)


def kept_in_float32(path: Path) -> frozenset[str]:
    """Names of the products that an fp16 file says it keeps in float32; see `lite_vton_export.precision.half_safety`.
    Errors as above.
    """
    for entry in opened_graph(path).metadata_props:
        if entry.key == FP32_NODES:
            return _names_in(entry.value, path)
    return frozenset()


def metadata_of(path: Path) -> dict[str, str]:
    """The file's own short copy of the manifest, by key. Errors as above."""
    entries = opened_graph(path).metadata_props
    return {e.key.removeprefix("lite_vton."): e.value for e in entries if e.key.startswith("lite_vton.")}


def _names_in(text: str, path: Path) -> frozenset[str]:
    try:
        names = strict_json(text.encode())
    except ValueError as error:
        raise UserError(f"{path.name} does not tell what it keeps in float32 ({error}): export it again") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path.name} does not tell what it keeps in float32: export it again")
    return frozenset(names)


def _products(
    model: onnx.ModelProto, kinds: dict[str, str], sizes: dict[str, int], shapes: dict[str, tuple[int, ...]]
) -> Iterator[tuple[str, Product]]:
    """Each with the name of its node."""
    quantised = _quantised_activations(model)
    for node in _nodes(model.graph):
        if node.op_type not in PRODUCTS or len(node.input) < 2 or not node.output or node.input[1] not in kinds:
            continue
        kind = kinds[node.input[1]]
        if kind == "int8" and node.input[0] not in quantised:
            kind = "w8"
        # A transposed convolution multiplies once for each place of what it spreads.
        shape = shapes.get(node.input[0] if node.op_type == "ConvTranspose" else node.output[0], ())
        positions = shape[2:] if node.op_type.startswith("Conv") else shape[:-1]
        weights = sizes.get(node.input[1], 1)
        yield node.name, Product(node.input[1], kind, kind, weights, weights * math.prod(positions))


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph, and the bodies of its loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _weights(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    return (tensor for part in _graphs(graph) for tensor in part.initializer)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, those of a body once, however often it runs."""
    return (node for part in _graphs(graph) for node in part.node)


_LARGE = 1024  # bytes; nothing that a shape is computed from is larger
_MOVING = ("DequantizeLinear", "Transpose", "Reshape", "Identity", "Cast")


def _sizes(model: onnx.ModelProto) -> dict[str, int]:
    """How many numbers each constant has, followed through what only moves or converts it."""
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in _weights(model.graph)}
    for node in _nodes(model.graph):
        if node.op_type in _MOVING and _first(node) in sizes:
            sizes.update(dict.fromkeys(node.output[:1], sizes[_first(node)]))
    return sizes


def _quantised_activations(model: onnx.ModelProto) -> set[str]:
    """Tensors that were rounded to integers and back, also where they were only moved since."""
    constants = {tensor.name for tensor in _weights(model.graph)}
    found: set[str] = set()
    for node in _nodes(model.graph):
        first = _first(node)
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
    kinds = {i.name: names[i.data_type] for i in _weights(model.graph) if i.data_type in names}
    for node in _nodes(model.graph):
        given = kinds.get(_first(node))
        if node.op_type in ("DequantizeLinear", "Transpose", "Reshape", "Identity") and given is not None:
            kinds.update(dict.fromkeys(node.output[:1], given))
        elif node.op_type == "Cast" and given is not None and node.attribute:
            # What the product multiplies counts, not what the file stores.
            kinds.update(dict.fromkeys(node.output[:1], names.get(node.attribute[0].i, "unknown")))
        elif node.op_type == "Constant" and node.attribute and node.attribute[0].t.data_type in names:
            kinds.update(dict.fromkeys(node.output[:1], names[node.attribute[0].t.data_type]))
    return kinds


def _first(node: onnx.NodeProto) -> str:
    """The name of a node's first input; no name where it takes none."""
    return node.input[0] if node.input else ""
