"""What passes through every node of a float32 ONNX file along real trajectories, and which nodes float16 would spoil.

Rules by kind (`export.precision.FP32_OPS`) know what usually goes wrong in float16; this knows what goes wrong in one
network with its own weights and inputs.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError

if TYPE_CHECKING:
    import onnx
    from onnxruntime import InferenceSession

__all__ = ["HEADROOM", "LEAST_DB", "OpRange", "measure_ranges", "unsafe_nodes"]

HEADROOM = 4.0
"""How much larger than measured a value may become beside another person without passing float16's largest, 65504."""

LEAST_DB = 60.0
"""Rounding to float16 leaves 73 dB of most signals; less, and much of this one is below 6e-5, where digits go."""

_FP16_MAX = 65504.0
_FP32_MAX = float(np.finfo(np.float32).max)
_MOST_DB = 200.0
_AT_ONCE = 2**28  # bytes of values looked at in one run

_Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class OpRange:
    """One node: the largest magnitude it was given and gave, and what float16 would leave of what it gave.

    `rounding_db` is 10 log10(signal / error of rounding) over all calls, at most 200 (exact) and at least -200 (a value
    overflows). NaN and infinity count as float32's largest number, so that every figure is one JSON has.
    """

    node: str
    kind: str
    largest_in: float
    largest_out: float
    rounding_db: float

    @property
    def unsafe(self) -> str | None:
        """Why the node has to stay in float32; None if float16 can hold it."""
        for largest in (self.largest_in, self.largest_out):
            if largest * HEADROOM > _FP16_MAX:
                return f"reaches {largest:.3g}, float16 ends at {_FP16_MAX:g}"
        if self.rounding_db < LEAST_DB:
            return f"float16 leaves {self.rounding_db:.0f} dB of it"
        return None


def unsafe_nodes(ranges: Iterable[OpRange]) -> dict[str, str]:
    """Names of the nodes that have to stay in float32, and why."""
    return {row.node: reason for row in ranges if (reason := row.unsafe) is not None}


def measure_ranges(path: Path, calls: Sequence[_Arrays]) -> tuple[OpRange, ...]:
    """Run the float32 ONNX file on every one of `calls` (inputs by name), watching what all of its nodes give.

    In the file's order, nodes without float32 output left out. Needs onnx and onnxruntime; runs on the CPU. Raises
    `UserError` without calls, or for a file that cannot be run on them.
    """
    import onnx

    if not calls:
        raise UserError(f"no calls to measure {path.name} on: record a trajectory first")
    model = onnx.load(path, load_external_data=False)
    sizes = _float32_sizes(onnx.shape_inference.infer_shapes(model))
    watched: dict[str, _Watched] = {
        name: _Watched() for node in model.graph.node for name in node.output if name in sizes
    }
    for names in _portions(list(watched), sizes):
        with _session_giving(model, names, path) as session:
            for call in calls:
                for name, values in zip(names, _run(session, names, call, path), strict=True):
                    watched[name].see(values)
    given = {name: max(float(np.max(np.abs(call[name]), initial=0)) for call in calls) for name in calls[0]}
    largest = given | {name: seen.largest for name, seen in watched.items()}
    return tuple(
        OpRange(
            node.name,
            node.op_type,
            max((largest[name] for name in node.input if name in largest), default=0.0),
            max(watched[name].largest for name in node.output if name in watched),
            min(watched[name].rounding_db for name in node.output if name in watched),
        )
        for node in model.graph.node
        if any(name in watched for name in node.output)
    )


class _Watched:
    """What is kept of a value that is seen again and again."""

    def __init__(self) -> None:
        self.largest = self._signal = self._error = 0.0

    def see(self, values: NDArray[np.float32]) -> None:
        exact = np.nan_to_num(values.astype(np.float64), nan=_FP32_MAX, posinf=_FP32_MAX, neginf=-_FP32_MAX)
        with np.errstate(over="ignore"):
            error = exact - exact.astype(np.float16)
        self._error += float(np.square(error).sum())
        self._signal += float(np.square(exact).sum())
        self.largest = max(self.largest, float(np.max(np.abs(exact), initial=0.0)))

    @property
    def rounding_db(self) -> float:
        if self._error == 0:
            return _MOST_DB
        ratio = self._signal / self._error  # 0 where the error is infinite
        return 10 * math.log10(ratio) if ratio > 0 else -_MOST_DB


def _float32_sizes(model: onnx.ModelProto) -> dict[str, int]:
    """Bytes of every float32 value whose shape is known."""
    sizes = {}
    for value in (*model.graph.value_info, *model.graph.output):
        kind = value.type.tensor_type
        sides = [side.dim_value for side in kind.shape.dim]
        if kind.elem_type == 1 and all(side > 0 for side in sides):
            sizes[value.name] = 4 * math.prod(sides)
    return sizes


def _portions(names: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    portion: list[str] = []
    for name in names:
        if portion and sum(sizes[kept] for kept in portion) + sizes[name] > _AT_ONCE:
            yield portion
            portion = []
        portion.append(name)
    if portion:
        yield portion


@contextmanager
def _session_giving(model: onnx.ModelProto, names: Sequence[str], path: Path) -> Iterator[InferenceSession]:
    """A session of the model whose outputs are `names`; its weights stay in the files beside `path`."""
    import onnx
    import onnxruntime

    widened = onnx.ModelProto()
    widened.CopyFrom(model)
    del widened.graph.output[:]
    widened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    for value, name in zip(widened.graph.output, names, strict=True):
        value.CopyFrom(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        for name in _external_files(model):
            _link(path.parent / name, Path(folder) / name)
        onnx.save(widened, Path(folder) / path.name)
        yield onnxruntime.InferenceSession(str(Path(folder) / path.name), options, providers=["CPUExecutionProvider"])


def _external_files(model: onnx.ModelProto) -> set[str]:
    return {
        entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"
    }


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _run(session: InferenceSession, names: Sequence[str], call: _Arrays, path: Path) -> Sequence[NDArray[np.float32]]:
    try:
        found: Sequence[NDArray[np.float32]] = session.run(list(names), dict(call))
    except Exception as error:
        raise UserError(f"{path.name} cannot be run on these inputs ({error}): are they another model's?") from error
    return found
