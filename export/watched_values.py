"""Figures of what passes through a float32 ONNX file, computed beside each value in the graph itself.

No more values are held than the network needs: of each, a few numbers come out, and never the value.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError

if TYPE_CHECKING:
    import onnx
    from onnxruntime import InferenceSession

__all__ = ["Watching", "watched_values"]

Watching = Callable[[str], "list[onnx.NodeProto]"]
"""Nodes that compute figures of the value of a name. Names of what they make are theirs alone; what is a figure is what
none of them takes."""

_PREFIX = "lite_vton.watched"


def watched_values(
    path: Path, names: Sequence[str], calls: Sequence[Mapping[str, NDArray[np.generic]]], watching: Watching
) -> Iterator[dict[str, dict[str, float]]]:
    """For each of `calls` (inputs by name) the figures of the float32 values `names`, by name of value and figure.

    Needs onnx and onnxruntime; runs on the CPU. Raises `UserError` for a file that cannot be run on the calls.
    """
    figures = _figures(watching)
    with _session(path, names, watching, figures) as session:
        for call in calls:
            found = iter(_run(session, call, path))
            yield {name: {figure: float(next(found)) for figure in figures} for name in names}


def _figures(watching: Watching) -> list[str]:
    nodes = watching("")
    taken = {name for node in nodes for name in node.input}
    return [name for node in nodes for name in node.output if name not in taken]


def _renamed(watching: Watching, value: str, number: int) -> list[onnx.NodeProto]:
    nodes = watching(value)
    for node in nodes:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name != value:
                    names[position] = f"{_PREFIX}.{number}.{name}"
        node.name = node.output[0]
    return nodes


@contextmanager
def _session(
    path: Path, names: Sequence[str], watching: Watching, figures: Sequence[str]
) -> Iterator[InferenceSession]:
    """A session whose outputs are the figures of `names` in their order; weights stay in the files beside `path`."""
    import onnx
    import onnxruntime

    model = onnx.load(path, load_external_data=False)
    numbers = {name: number for number, name in enumerate(names)}
    nodes = [_copied(node) for node in model.graph.node]
    del model.graph.node[:], model.graph.output[:]
    for number, name in enumerate(names):
        if name in {value.name for value in model.graph.input}:
            model.graph.node.extend(_renamed(watching, name, number))
    for node in nodes:
        model.graph.node.append(node)
        for name in node.output:
            if name in numbers:
                model.graph.node.extend(_renamed(watching, name, numbers[name]))
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(f"{_PREFIX}.{number}.{figure}", onnx.TensorProto.FLOAT, [])
        for number in range(len(names))
        for figure in figures
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    # In the file's order, figures right behind their value. The other order runs to the end first and keeps everything.
    options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    with tempfile.TemporaryDirectory() as folder:
        for name in _external_files(model):
            _link(path.parent / name, Path(folder) / name)
        onnx.save(model, Path(folder) / path.name)
        try:
            session = onnxruntime.InferenceSession(
                str(Path(folder) / path.name), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its pybind exceptions share no public base class
            raise UserError(
                f"{path.name} cannot be run here ({str(error).splitlines()[0]}): export it again"
            ) from error
        yield session


def _copied(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def _external_files(model: onnx.ModelProto) -> set[str]:
    return {
        entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"
    }


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _run(
    session: InferenceSession, call: Mapping[str, NDArray[np.generic]], path: Path
) -> Sequence[NDArray[np.float32]]:
    try:
        found: Sequence[NDArray[np.float32]] = session.run(None, dict(call))
    except Exception as error:
        raise UserError(f"{path.name} cannot be run on these inputs ({error}): are they another model's?") from error
    return found
