"""`lite-vton inspect --ranges`: the largest values along the golden trajectory, and what float16 would spoil."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lite_vton.cli.screen import print_table
from lite_vton.errors import UserError
from lite_vton.messages.commands import how_to_add
from lite_vton.workflows.progress import stages
from lite_vton_export.precision.rules import FP32_OPS

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle
    from lite_vton_export.precision.ranges import OpRange

__all__ = ["print_ranges", "ranges_of"]

MEASURED = "onnx-fp32"
SHOWN = 5
"""Nodes of a component, the largest first; unsafe ones are shown all."""


def ranges_of(bundle: Bundle) -> dict[str, tuple[OpRange, ...]]:
    """By component; a `UserError` where the bundle lacks the float32 ONNX files or the trajectory."""
    from lite_vton_export.parity.golden import load_trajectory
    from lite_vton_export.precision.ranges import measure_ranges

    manifest = bundle.manifest
    if MEASURED not in manifest.artifacts or manifest.golden is None:
        remedy = how_to_add(bundle, "onnx", "fp32")
        raise UserError(f"{bundle.given} has no {MEASURED} with a golden trajectory to measure: {remedy}")
    golden = load_trajectory(bundle.path(manifest.golden))
    found = {}
    with stages("running") as say:
        for component, files in manifest.artifacts[MEASURED].components.items():
            say(component)
            calls = [call.inputs for call in golden.calls if call.component == component]
            found[component] = measure_ranges(bundle.path(files.model), calls)
    return found


def print_ranges(ranges: Mapping[str, Sequence[OpRange]]) -> None:
    """A table of what stands out, and a line a component."""
    print_table(
        ("component", "node", "kind", "largest", "float16 leaves", "in float16"),
        [
            (
                component,
                row.node,
                row.kind,
                f"{row.largest_out:.4g}",
                f"{row.rounding_db:.0f} dB",
                row.unsafe or ("kept in fp32: the kind is sensitive" if row.kind in FP32_OPS else "safe"),
            )
            for component, rows in ranges.items()
            for row in _standing_out(rows)
        ],
    )
    print()
    for component, rows in ranges.items():
        unsafe = sum(row.unsafe is not None for row in rows)
        verdict = f"{unsafe} not safe in float16" if unsafe else "all safe in float16"
        print(f"{component}: {len(rows)} nodes, {verdict}; largest value {max(row.largest_out for row in rows):.4g}")


def _standing_out(rows: Sequence[OpRange]) -> Iterator[OpRange]:
    largest = sorted(rows, key=lambda row: row.largest_out, reverse=True)
    yield from (row for row in largest if row.unsafe is not None)
    yield from [row for row in largest if row.unsafe is None][:SHOWN]
