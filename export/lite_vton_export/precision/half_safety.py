"""Which parts of a network float16 cannot hold, derived at export from what passes through them along real try-ons.

`lite_vton_export.precision.rules.FP32_OPS` keeps kinds of operators in float32 in every network; what is found here
comes on top, by name. The float32 graph is run on calls of the golden trajectory (and of the people int8 is calibrated
on, where there are any), and a node stays in float32 if what it is given or gives would overflow float16 or lose its
digits there (`lite_vton_export.precision.ranges`). ONNX, and TensorRT with it, keep those nodes. Formats made from the
torch module know no node of ONNX: they keep the modules that the nodes came from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import KeptInFloat32
from lite_vton_export.precision.ranges import OpRange, measure_ranges

if TYPE_CHECKING:
    from torch import nn

__all__ = ["MOST_CALLS", "HalfSafety", "float32_products", "half_safety", "unsafe_modules"]

MOST_CALLS = 6
"""How many calls of a component are measured, spread evenly over all there are;
`lite_vton_export.precision.ranges.HEADROOM` is for those that are not."""

_SCOPES = "pkg.torch.onnx.name_scopes"
_Feeds = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class HalfSafety:
    """What of one component is kept in float32 at fp16, and the float32 ONNX file that it was found on.

    That file is as torch's exporter traced it, and is there as long as the export runs.
    """

    kept: KeptInFloat32
    traced: Path


def half_safety(traced: Path, module: nn.Module | None, calls: Sequence[_Feeds]) -> HalfSafety:
    """Run the float32 ONNX file that `module` was traced to on some of `calls`, and say what float16 would spoil.

    Of a file that came from elsewhere there is no module, and nothing is said of any. Costs a run of the network for
    each of at most `MOST_CALLS` calls. Raises `UserError` without calls.
    """
    measured = _spread(calls)
    unsafe = [row for row in measure_ranges(traced, measured) if row.unsafe]
    modules, blocks = ({}, {}) if module is None else _modules(unsafe, _scopes(traced), module)
    nodes = {row.node: str(row.unsafe) for row in unsafe}
    return HalfSafety(KeptInFloat32(calls=len(measured), nodes=nodes, modules=modules, blocks=blocks), traced)


def unsafe_modules(module: nn.Module, kept: KeptInFloat32 | None) -> frozenset[str]:
    """Paths of the modules to compute in float32 in a format that is made from `module` and not from ONNX.

    Layers that are given or give what float16 cannot hold, and all within the blocks whose own arithmetic goes beyond.
    A sum of float32 and float16 is taken to be one in float32, as torch has it: what only adds to a large value needs
    no mention.
    """
    if kept is None:
        return frozenset()
    names = dict(module.named_modules())
    layers = {path for path in kept.modules if path in names and not any(names[path].children())}
    return frozenset(layers | {path for path in names if _within(path, kept.blocks)})


def float32_products(module: nn.Module, kept: KeptInFloat32 | None) -> int:
    """How many convolutions and matrix products of `module` are kept in float32 with `unsafe_modules`, at most."""
    from diffusers.models.attention_processor import Attention
    from torch import nn

    weighted = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    paths, names = unsafe_modules(module, kept), dict(module.named_modules())
    products = sum(isinstance(names[path], weighted) for path in paths)
    return products + 2 * sum(isinstance(names[path], Attention) for path in paths)  # with keys, and with values


def _spread(calls: Sequence[_Feeds]) -> list[_Feeds]:
    chosen = np.unique(np.linspace(0, len(calls) - 1, MOST_CALLS).round().astype(int)) if calls else ()
    return [calls[index] for index in chosen]


def _scopes(traced: Path) -> dict[str, str]:
    """The innermost torch module of every node, as torch's exporter notes it: its last word is the operation's."""
    import onnx

    return dict(_noted(onnx.load(traced, load_external_data=False)))


def _noted(model: Any) -> Iterator[tuple[str, str]]:
    for node in model.graph.node:
        for entry in node.metadata_props:
            if entry.key == _SCOPES:
                scopes = ast.literal_eval(entry.value)
                yield node.name, scopes[-2] if len(scopes) > 1 else ""


def _modules(
    unsafe: Sequence[OpRange], scopes: Mapping[str, str], module: nn.Module
) -> tuple[dict[str, str], dict[str, str]]:
    """The innermost modules of unsafe nodes, and the blocks that have to stay whole; either with a reason."""
    from diffusers.models.attention_processor import Attention

    names = dict(module.named_modules())
    modules: dict[str, str] = {}
    blocks: dict[str, str] = {}
    for row in unsafe:
        path = scopes.get(row.node)
        if path is None or path not in names:
            continue
        reason = f"{row.kind} {row.unsafe}"
        modules.setdefault(path, reason)
        if any(names[path].children()) and row.holds_its_input:
            blocks.setdefault(path, reason)
        # Queries, keys and values are multiplied with each other, so they are of one type.
        for outer in (path, *_above(path)):
            if isinstance(names.get(outer), Attention):
                blocks.setdefault(outer, reason)
    return modules, blocks


def _above(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _within(path: str, blocks: Mapping[str, str]) -> bool:
    return any(not block or path == block or path.startswith(f"{block}.") for block in blocks)
