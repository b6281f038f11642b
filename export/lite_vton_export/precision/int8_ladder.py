"""What to keep in float of a network that misses int8's gate: rung after rung, the noisiest layers for their cost.

The error that int8 adds to a product comes nearly all from rounding what it is given: a step of its range in 255, and
the range is that of all calls, so that a quiet call drowns in the steps that a loud one needs. This is known of every
layer from one run of the float network: the square of a step over 12, against the variance in the quietest call. (Of
Stable Diffusion's decoder, random weights, quantised layer by layer, it tells which ones cost the answer its cosine;
rounding the weights costs a thirtieth.) Layers go to float in the order of that ratio for what they cost, which is
their share of the network's multiplications or of its weights, until a rung's share is used up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from lite_vton_export.precision.float_layers import costs, float_layers, linear_layers
from lite_vton_export.precision.watched_values import watched_values

if TYPE_CHECKING:
    import onnx

__all__ = ["SHARES", "layer_noise", "rungs"]

SHARES = (0.1, 0.25, 0.45)
"""What a rung may cost beside what always is in float; above half, it would be int8 by name only
(`lite_vton_export.precision.shares`).
"""

_STEPS = 255
_Feeds = Sequence[Mapping[str, NDArray[Any]]]


def rungs(path: Path, feeds: _Feeds) -> Iterator[frozenset[str]]:
    """Names of the nodes of a float32 ONNX file to keep in float, the fewest first; each is worked out when asked for.

    `feeds` are calls, on which layers are measured once the first rungs are used up.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    always = float_layers(model)
    yield always
    yield always | linear_layers(model)
    cost = {name: share for name, share in costs(model).items() if name not in always}
    noise = layer_noise(path, feeds, list(cost))
    ranked = sorted(cost, key=lambda name: noise[name] / cost[name], reverse=True)
    for share in SHARES:
        yield always | _within(ranked, cost, share)


def layer_noise(path: Path, feeds: _Feeds, products: Sequence[str]) -> dict[str, float]:
    """Of each product named, what rounding its input to 8 bits adds: noise over signal, at the worst of `feeds`."""
    import onnx

    named = {node.name: node.input[0] for node in onnx.load(path, load_external_data=False).graph.node}
    given = {name: named[name] for name in products}
    calls = list(watched_values(path, list(dict.fromkeys(given.values())), feeds, _watching))
    noise = {}
    for value in set(given.values()):
        figures = [call[value] for call in calls]
        step = (max(f["high"] for f in figures) - min(f["low"] for f in figures)) / _STEPS
        quietest = min(f["square"] - f["mean"] ** 2 for f in figures)
        noise[value] = step**2 / 12 / max(quietest, 1e-30)
    return {name: noise[value] for name, value in given.items()}


def _within(ranked: Sequence[str], cost: Mapping[str, float], budget: float) -> frozenset[str]:
    """The first of `ranked` that together cost no more than `budget`; those too large for what is left are passed."""
    chosen = set()
    for name in ranked:
        if cost[name] <= budget:
            chosen.add(name)
            budget -= cost[name]
    return frozenset(chosen)


def _watching(value: str) -> list[onnx.NodeProto]:
    from onnx import helper

    return [
        helper.make_node("ReduceMin", [value], ["low"], keepdims=0),
        helper.make_node("ReduceMax", [value], ["high"], keepdims=0),
        helper.make_node("ReduceMean", [value], ["mean"], keepdims=0),
        helper.make_node("Mul", [value, value], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["square"], keepdims=0),
    ]
