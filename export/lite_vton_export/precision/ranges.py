"""What passes through every node of a float32 ONNX file along real trajectories, and which nodes float16 would spoil.

Rules by kind (`lite_vton_export.precision.rules.FP32_OPS`) know what usually goes wrong in float16; this knows what
goes wrong in one network with its own weights and inputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton_export.precision.onnx_graph import opened_graph, with_shapes
from lite_vton_export.precision.watched_values import watched_values

if TYPE_CHECKING:
    import onnx

__all__ = ["HEADROOM", "LEAST_DB", "OpRange", "measure_ranges", "unsafe_nodes"]

HEADROOM = 4.0
"""How much larger than measured a value may become beside another person without passing float16's largest, 65504."""

LEAST_DB = 60.0
"""Rounding to float16 leaves 73 dB of most signals; less, and much of this one is below 6e-5, where digits go."""

_FP16_MAX = 65504.0
_FP32_MAX = float(np.finfo(np.float32).max)
_MOST_DB = 200.0
_MOVING = frozenset(
    {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "DepthToSpace", "SpaceToDepth"}
)
"""Kinds that give what they are given, in another shape or order: what holds for that holds for what they give."""

_Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class OpRange:
    """One node: the largest magnitude it was given and gave, and what float16 would leave of either.

    `rounding_in_db` (the worst input) and `rounding_db` (the output) are 10 log10(signal / error of rounding) over all
    calls, at most 200 (exact) and at least -200 (a value overflows). NaN and infinity count as float32's largest
    number, so that every figure is one JSON has.
    """

    node: str
    kind: str
    largest_in: float
    largest_out: float
    rounding_in_db: float
    rounding_db: float

    @property
    def holds_its_input(self) -> bool:
        """Whether float16 can hold what the node is given: if it is unsafe nonetheless, its own arithmetic is."""
        return self.largest_in * HEADROOM <= _FP16_MAX and self.rounding_in_db >= LEAST_DB

    @property
    def unsafe(self) -> str | None:
        """Why the node has to stay in float32; None if float16 can hold what it is given and what it gives."""
        for largest, verb in ((self.largest_in, "is given"), (self.largest_out, "reaches")):
            if largest * HEADROOM > _FP16_MAX:
                return f"{verb} {largest:.3g}, float16 ends at {_FP16_MAX:g}"
        for rounding_db, what in ((self.rounding_in_db, "what it is given"), (self.rounding_db, "it")):
            if rounding_db < LEAST_DB:
                return f"float16 leaves {rounding_db:.0f} dB of {what}"
        return None


def unsafe_nodes(ranges: Iterable[OpRange]) -> dict[str, str]:
    """Names of the nodes that have to stay in float32, and why."""
    return {row.node: reason for row in ranges if (reason := row.unsafe) is not None}


def measure_ranges(path: Path, calls: Sequence[_Arrays]) -> tuple[OpRange, ...]:
    """Run the float32 ONNX file on every one of `calls` (inputs by name), watching what all of its nodes give.

    In the file's order, nodes without float32 output left out. Each call is one run: what is kept of a value is
    computed beside it, in the graph, so that no more values are held than the network itself needs. Needs onnx and
    onnxruntime; runs on the CPU. Raises `UserError` without calls, or for a file that cannot be run on them.
    """
    if not calls:
        raise UserError(f"no calls to measure {path.name} on: record a trajectory first")
    model = opened_graph(path)
    nodes = list(model.graph.node)
    floats = _float32_values(model, path)
    sources = _sources(nodes)
    given = [name for node in nodes for name in node.output if name in floats and name not in sources]
    seen = {name: _Seen() for name in given}
    for figures in watched_values(path, list(seen), calls, _watching):
        for name, value in seen.items():
            value.note(**figures[name])
    for name in calls[0]:
        seen[name] = _seen_of([call[name] for call in calls])
    for name, source in sources.items():
        if source in seen:
            seen[name] = seen[source]
    return tuple(_range(node, seen) for node in nodes if any(name in floats for name in node.output))


def _range(node: onnx.NodeProto, seen: Mapping[str, _Seen]) -> OpRange:
    given = [seen[name] for name in node.input if name in seen]
    gave = [seen[name] for name in node.output if name in seen]
    return OpRange(
        node.name,
        node.op_type,
        max((value.largest for value in given), default=0.0),
        max((value.largest for value in gave), default=0.0),
        min((value.rounding_db for value in given), default=_MOST_DB),
        min((value.rounding_db for value in gave), default=_MOST_DB),
    )


class _Seen:
    """What is kept of a value over all calls."""

    def __init__(self) -> None:
        self.largest = self._signal = self._error = 0.0

    def note(self, largest: float, signal: float, error: float) -> None:
        # A NaN anywhere makes the sum of squares one, whatever a backend's maximum makes of it.
        self.largest = max(self.largest, _FP32_MAX if math.isnan(signal) else min(largest, _FP32_MAX))
        self._signal += signal
        self._error += error

    @property
    def rounding_db(self) -> float:
        if self._error == 0:
            return _MOST_DB
        ratio = self._signal / self._error if math.isfinite(self._error) else 0.0
        if not ratio > 0:
            return -_MOST_DB
        return min(10 * math.log10(ratio), _MOST_DB) if math.isfinite(ratio) else _MOST_DB


def _seen_of(arrays: Sequence[NDArray[np.generic]]) -> _Seen:
    seen = _Seen()
    for array in arrays:
        exact = array.astype(np.float64)
        # Integers are no float16 to begin with: nothing of them is rounded.
        error = exact - exact.astype(np.float16) if array.dtype.kind == "f" else np.zeros(1)
        seen.note(float(np.max(np.abs(exact), initial=0)), float(np.square(exact).sum()), float(np.square(error).sum()))
    return seen


def _float32_values(model: onnx.ModelProto, path: Path) -> set[str]:
    """Every value that is known to be float32."""
    inferred = with_shapes(model, path).graph
    return {value.name for value in (*inferred.value_info, *inferred.output) if value.type.tensor_type.elem_type == 1}


def _sources(nodes: Iterable[onnx.NodeProto]) -> dict[str, str]:
    """Of every value that was only moved: the value that it was."""
    sources: dict[str, str] = {}
    for node in nodes:
        if node.op_type in _MOVING and node.input and node.output:
            sources[node.output[0]] = sources.get(node.input[0], node.input[0])
    return sources


def _watching(value: str) -> list[onnx.NodeProto]:
    """The largest magnitude of a value, its sum of squares, and that of its rounding to float16."""
    from onnx import TensorProto, helper

    return [
        helper.make_node("Abs", [value], ["magnitude"]),
        helper.make_node("ReduceMax", ["magnitude"], ["largest"], keepdims=0),
        helper.make_node("ReduceSumSquare", [value], ["signal"], keepdims=0),
        helper.make_node("Cast", [value], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["half"], ["rounded"], to=TensorProto.FLOAT),
        helper.make_node("Sub", [value, "rounded"], ["difference"]),
        helper.make_node("ReduceSumSquare", ["difference"], ["error"], keepdims=0),
    ]
