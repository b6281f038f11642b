"""Figures of what passes through a float32 ONNX file, computed beside each value in the graph itself.

No more values are held than the network needs: of each, a few numbers come out, and never the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton_export.precision.onnx_graph import opened_graph

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
    session = _session(path, names, watching, figures)
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


def _session(path: Path, names: Sequence[str], watching: Watching, figures: Sequence[str]) -> InferenceSession:
    """A session whose outputs are the figures of `names` in their order; weights stay in the files beside `path`."""
    import onnx
    import onnxruntime

    model = opened_graph(path)
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
    # Nothing is written: ONNX Runtime is given the graph, and reads the weights where they are.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent.resolve()))
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its pybind exceptions share no public base class
        raise UserError(f"{path.name} cannot be run here ({str(error).splitlines()[0]}): export it again") from error
    return session


def _copied(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy


def _run(
    session: InferenceSession, call: Mapping[str, NDArray[np.generic]], path: Path
) -> Sequence[NDArray[np.float32]]:
    try:
        found: Sequence[NDArray[np.float32]] = session.run(None, dict(call))
    except Exception as error:
        raise UserError(f"{path.name} cannot be run on these inputs ({error}): are they another model's?") from error
    return found
