"""Which operations of a Core ML program come from the modules that fp16 has to leave in float32.

Core ML's operations are named after the nodes of the exported torch program, alone or with words of the converter
(coremltools 9.0) behind: `linear_7`, `group_norm_2_mean`. Those nodes know the module that they stood in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["source_node", "unsafe_operations"]


def unsafe_operations(program: ExportedProgram, paths: Collection[str]) -> Callable[[str], bool]:
    """Whether the operation of a name was made of a node whose innermost module is among `paths`."""
    if not paths:
        return lambda _name: False
    modules = {node.name: _innermost(node.meta.get("nn_module_stack")) for node in program.graph.nodes}

    def unsafe(name: str) -> bool:
        node = source_node(name, modules)
        return node is not None and modules[node] in paths

    return unsafe


def source_node(operation: str, nodes: Collection[str]) -> str | None:
    """The longest of the names `nodes` that the operation's begins with, at a whole word; None if there is none."""
    words = operation.split("_")
    names = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    return next((name for name in names if name in nodes), None)


def _innermost(stack: object) -> str | None:
    """The path of the last module of torch's `nn_module_stack`, whose values are pairs of path and class."""
    if not isinstance(stack, dict) or not stack:
        return None
    path, _ = list(stack.values())[-1]
    return str(path)
