"""What stays in floating point when a network is quantised to int8, found by following the graph.

Three kinds of layer cost an int8 network its accuracy and hardly any time in float:

edges       the first product that sees an input and the last before an output, with the arithmetic outside of them:
            the output's error is theirs, undiluted. A pointwise convolution that only mixes a latent's own few channels
            ends nothing, but counts with what comes next: Stable Diffusion's autoencoder has one at either latent end
one row     products of a single row, as the timestep's embedding and its projections: tiny, and every block adds them
attention   products of two activations: softmax gives many small numbers, which 8 bits round to nothing
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lite_vton_export.precision.rules import PRODUCTS

if TYPE_CHECKING:
    import onnx

__all__ = ["costs", "float_layers", "linear_layers"]

_FEW = 16
"""Channels that a latent has at most."""


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


def costs(model: onnx.ModelProto) -> dict[str, float]:
    """Each product's share of the network's multiplications or of its weights, whichever is larger; by name of node."""
    graph = _Graph(model)
    weighted = [node for node in model.graph.node if graph.is_weighted(node)]
    multiplied = {node.name: graph.multiplications(node) for node in weighted}
    stored = {node.name: graph.weights(node) for node in weighted}
    work, size = sum(multiplied.values()), sum(stored.values())
    return {name: max(multiplied[name] / work, stored[name] / size) for name in stored}


class _Graph:
    """Who makes and who uses each tensor."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import shape_inference

        inferred = shape_inference.infer_shapes(model).graph
        self._constants = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
        self._shapes = {
            value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
            for value in (*inferred.value_info, *inferred.input, *inferred.output)
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

    def only_mixes(self, node: onnx.NodeProto) -> bool:
        """Whether a product turns each position's few channels into as many."""
        weights = self._weights_shape(node)
        return node.op_type == "Conv" and weights[0] == weights[1] <= _FEW and set(weights[2:]) == {1}

    def multiplications(self, node: onnx.NodeProto) -> int:
        """How many a product with weights takes."""
        # A transposed convolution multiplies once for each place of what it spreads.
        shape = self._shapes.get(node.input[0] if node.op_type == "ConvTranspose" else node.output[0], ())
        positions = shape[2:] if node.op_type.startswith("Conv") else shape[:-1]
        return self.weights(node) * int(math.prod(positions))

    def weights(self, node: onnx.NodeProto) -> int:
        """How many weights a product has."""
        return math.prod(self._weights_shape(node))

    def _weights_shape(self, node: onnx.NodeProto) -> tuple[int, ...]:
        return next((self._constants[name] for name in node.input if name in self._constants), ())

    def reached(
        self,
        names: Iterable[str],
        neighbours: dict[str, list[onnx.NodeProto]],
        onwards: Callable[[onnx.NodeProto], Iterable[str]],
    ) -> list[onnx.NodeProto]:
        """What is met from tensors `names` on, up to and including the first products that are more than a mixing."""
        waiting, found = list(names), {}
        while waiting:
            for node in neighbours.get(waiting.pop(), ()):
                if node.output[0] in found:
                    continue
                found[node.output[0]] = node
                if not self.is_weighted(node) or self.only_mixes(node):
                    waiting.extend(onwards(node))
        return list(found.values())
