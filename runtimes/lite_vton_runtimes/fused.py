"""A try-on by a fused graph, which holds the sampler itself: arrays and noise in, finished picture out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, ComponentTensors, FusedArtifact
from lite_vton.errors import UserError
from lite_vton.messages.commands import how_to_add
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_runtimes.base import Runtime
from lite_vton_runtimes.sampling.noise import gaussian
from lite_vton_runtimes.sampling.pipeline import TryOnResult

__all__ = ["WHOLE", "check_choices", "fused_artifact", "try_on_fused", "whole_network"]

WHOLE = "try_on"
"""The one component of a runtime that was opened on a fused artifact."""


def fused_artifact(bundle: Bundle, format: str, precision: str) -> FusedArtifact:
    """The fused artifact of a bundle; a `UserError` with the command that makes it where there is none."""
    name = f"{format}-{precision}-fused"
    if name not in bundle.manifest.fused:
        raise UserError(f"{bundle.given} holds no {name}: {how_to_add(bundle, format, precision, fused=True)}")
    return bundle.manifest.fused[name]


def whole_network(bundle: Bundle, format: str, precision: str) -> dict[str, tuple[Path, ComponentTensors]]:
    """The fused artifact as a backend's table of networks: its file and its tensors, under the name `WHOLE`."""
    found = fused_artifact(bundle, format, precision)
    return {WHOLE: (bundle.path(found.model), found.tensors)}


def try_on_fused(
    runtime: Runtime, inputs: TryOnInputs, fused: FusedArtifact, *, steps: int | None = None, seed: int = 0
) -> TryOnResult:
    """Dress the person of `inputs`; the same picture as `lite_vton_runtimes.sampling.pipeline.try_on` by `fused.method`
    gives.

    `runtime` offers the graph as its component `WHOLE`. The result has no steps: nobody sees them. Raises `UserError`
    for steps that the graph does not make, inputs that do not fit it, and an answer with NaN or infinity.
    """
    check_choices(fused, steps=steps)
    specs = {spec.name: spec for spec in fused.tensors.inputs}
    given: dict[str, NDArray[np.generic]] = {}
    for name in specs:
        if name == "noise":
            given[name] = gaussian(seed)(specs[name].shape)
        elif name == "steps":
            if steps is None:
                raise UserError("this graph takes the number of steps as an input: say how many")
            given[name] = np.array([steps], np.int64)
        else:
            array = getattr(inputs, name, None)
            if array is None:
                raise UserError(f"the graph takes {name!r}, and the inputs hold none: prepare them for this model")
            given[name] = array
    answers: dict[str, NDArray[np.generic]] = dict(runtime.components[WHOLE](given))
    decoded = np.asarray(answers["decoded"], np.float32)
    # Cast to uint8, NaN would become a picture.
    if not np.isfinite(decoded).all():
        raise UserError(f"{runtime.name} answered NaN or infinity: verify the bundle or use fp32")
    return TryOnResult(np.asarray(answers["picture"], np.uint8), decoded, ())


def check_choices(fused: FusedArtifact, *, steps: int | None = None, method: str | None = None) -> None:
    """Refuse a number of steps or a method that is not the graph's with a `UserError`; None is the graph's own."""
    if method not in (None, fused.method):
        raise UserError(f"the fused graph samples by {fused.method}, not {method}: leave --sampler or --fused out")
    if steps is None:
        return
    if fused.steps not in (None, steps):
        raise UserError(f"the fused graph makes {fused.steps} steps, not {steps}: leave --steps or --fused out")
    for spec in fused.tensors.inputs:
        if spec.name == "steps" and spec.range is not None and not spec.range[0] <= steps <= spec.range[1]:
            raise UserError(f"cannot sample in {steps} steps: choose from 1 to {spec.range[1]:.0f}")
