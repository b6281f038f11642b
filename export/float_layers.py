"""What stays in floating point when a network is quantised to int8, found by following the graph.

Three kinds of layer cost an int8 network its accuracy and hardly any time in float:

edges       the first product that sees an input and the last before an output, with the arithmetic outside of them:
            the output's error is theirs, undiluted
one row     products of a single row, as the timestep's embedding and its projections: tiny, and every block adds them
attention   products of two activations: softmax gives many small numbers, which 8 bits round to nothing
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from export.precision import PRODUCTS

if TYPE_CHECKING:
    import onnx

__all__ = ["float_layers", "linear_layers"]


def float_layers(model: onnx.ModelProto) -> frozenset[str]:
    """Names of the nodes of a float32 ONNX model with static shapes that int8 is not for."""
    graph = _Graph(model)
    before = graph.reached(graph.outputs, graph.makers, lambda node: node.input)
    after = graph.reached(graph.inputs, graph.users, lambda node: node.output)
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    return frozenset(
        {node.name for node in (*before, *after)}
        | {node.name for node in products if not graph.is_weighted(node) or graph.rows(node) == 1}
    )


def linear_layers(model: onnx.ModelProto) -> frozenset[str]:
    """Names of all matrix products, which is every product but the convolutions."""
    return frozenset(node.name for node in model.graph.node if node.op_type in ("MatMul", "Gemm"))


class _Graph:
    """Who makes and who uses each tensor."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import shape_inference

        inferred = shape_inference.infer_shapes(model).graph
        self._constants = {tensor.name for tensor in model.graph.initializer}
        self._shapes = {
            value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
            for value in (*inferred.value_info, *inferred.output)
        }
        self.inputs = [value.name for value in model.graph.input if value.name not in self._constants]
        self.outputs = [value.name for value in model.graph.output]
        self.makers: dict[str, list[onnx.NodeProto]] = {}
        self.users: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in node.output:
                self.makers.setdefault(name, []).append(node)
            for name in node.input:
                self.users.setdefault(name, []).append(node)

    def is_weighted(self, node: onnx.NodeProto) -> bool:
        """Whether a product is one with weights."""
        return node.op_type in PRODUCTS and any(name in self._constants for name in node.input)

    def rows(self, node: onnx.NodeProto) -> int:
        """How many rows a matrix product has; 0 for a convolution or where the shape is unknown."""
        shape = self._shapes.get(node.output[0], ())
        return math.prod(shape[:-1]) if node.op_type in ("MatMul", "Gemm") and shape else 0

    def reached(
        self,
        names: Iterable[str],
        neighbours: dict[str, list[onnx.NodeProto]],
        onwards: Callable[[onnx.NodeProto], Iterable[str]],
    ) -> list[onnx.NodeProto]:
        """What is met from tensors `names` on, up to and including the first products with weights."""
        waiting, found = list(names), {}
        while waiting:
            for node in neighbours.get(waiting.pop(), ()):
                if node.output[0] in found:
                    continue
                found[node.output[0]] = node
                if not self.is_weighted(node):
                    waiting.extend(onwards(node))
        return list(found.values())
