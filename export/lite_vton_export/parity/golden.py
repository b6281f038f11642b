"""The golden trajectory: one real sampling run in torch float32, every component's inputs and outputs recorded.

`golden/trajectory.npz` needs nothing but numpy to read, so that a port in any language can check itself call by
call. Its keys:

    <component>.<call>.in.<tensor>     what the component was given; calls count from 000 per component
    <component>.<call>.out.<tensor>    what torch float32 answered
    inputs.<field>                     the `TryOnInputs` of the run, float32 NCHW; `garment` only for a model with CLIP
    decoded                            (1, 3, H, W) float32, the last decoder output, not clipped
    picture                            (H, W, 3) uint8, the final picture, person pasted back
    seed, steps                        int64 scalars
    method                             the sampling method's name, a string
    method.model                       the manifest's `model` and `latent_scale` as JSON, a string; older ones lack it
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import load_arrays, strict_json, written_model
from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_runtimes.base import Array, Component, Runtime
from lite_vton_runtimes.sampling.methods import METHODS
from lite_vton_runtimes.sampling.pipeline import try_on

__all__ = ["GOLDEN_PATH", "Call", "Trajectory", "load_trajectory", "record_trajectory", "save_trajectory"]

GOLDEN_PATH = "golden/trajectory.npz"

_MOST_STEPS = 1000
_Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Call:
    """One call of one component: its arrays by tensor name. `index` counts per component from 0."""

    component: str
    index: int
    inputs: _Arrays
    outputs: _Arrays


@dataclass(frozen=True)
class Trajectory:
    """A whole try-on and every call it made, in order. `picture` (H, W, 3) uint8, `decoded` (1, 3, H, W) float32.

    `about` is what the manifest says of the model that was run; None where an older version recorded it.
    """

    calls: tuple[Call, ...]
    inputs: TryOnInputs
    picture: NDArray[np.uint8]
    decoded: Array
    method: str
    steps: int
    seed: int
    about: Mapping[str, Any] | None = None


def record_trajectory(
    runtime: Runtime,
    inputs: TryOnInputs,
    model: ModelConfig,
    latent_scale: float,
    *,
    steps: int | None = None,
    seed: int = 0,
) -> Trajectory:
    """Run one try-on on `runtime` by the model's own sampler and keep every call; the rest is as `try_on` has it."""
    if "image_encoder" not in runtime.components:
        inputs = replace(inputs, garment=None)
    recorder = _Recorder(runtime)
    result = try_on(recorder, inputs, model, latent_scale, steps=steps, seed=seed)
    return Trajectory(
        tuple(recorder.calls),
        inputs,
        result.picture,
        result.decoded,
        model.default_sampler,
        len(result.steps),
        seed,
        {"model": written_model(model), "latent_scale": latent_scale},
    )


class _Recorder:
    """A runtime that notes what passes through it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.calls: list[Call] = []

    @property
    def name(self) -> str:
        return self._runtime.name

    @property
    def components(self) -> Mapping[str, Component]:
        return {name: self._noting(name, call) for name, call in self._runtime.components.items()}

    def close(self) -> None:
        self._runtime.close()

    def _noting(self, name: str, component: Component) -> Component:
        def run(inputs: _Arrays) -> dict[str, Array]:
            outputs = component(inputs)
            index = sum(call.component == name for call in self.calls)
            # Copies: a backend may reuse its buffers.
            kept = ({key: np.array(a) for key, a in side.items()} for side in (inputs, outputs))
            self.calls.append(Call(name, index, *kept))
            return outputs

        return run


def save_trajectory(trajectory: Trajectory, path: Path) -> None:
    """Write the npz described at the top of this file; no pickled objects in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **dict(_entries(trajectory)))


def _entries(trajectory: Trajectory) -> Iterator[tuple[str, NDArray[Any]]]:
    for call in trajectory.calls:
        for side, arrays in (("in", call.inputs), ("out", call.outputs)):
            for name, array in arrays.items():
                yield f"{call.component}.{call.index:03d}.{side}.{name}", array
    for field in fields(TryOnInputs):
        array = getattr(trajectory.inputs, field.name)
        if array is not None:
            yield f"inputs.{field.name}", array
    yield "picture", trajectory.picture
    yield "decoded", trajectory.decoded
    yield "method", np.array(trajectory.method)
    yield "steps", np.array(trajectory.steps, dtype=np.int64)
    yield "seed", np.array(trajectory.seed, dtype=np.int64)
    if trajectory.about is not None:
        yield "method.model", np.array(json.dumps(trajectory.about))


def load_trajectory(path: Path) -> Trajectory:
    """Read it back.

    A `UserError` if the file is not an npz of plain arrays, a key is missing, a shape or a type is another, or a number
    is not finite.
    """
    arrays = load_arrays(path)
    try:
        for key, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError(f"{key} holds NaN or infinity")
        given = {key.removeprefix("inputs."): array for key, array in arrays.items() if key.startswith("inputs.")}
        inputs, calls = TryOnInputs(**given), tuple(_calls(arrays))
        height, width = inputs.person.shape[2:]
        due = {"picture": ((height, width, 3), np.uint8), "decoded": ((1, 3, height, width), np.float32)}
        for key, (shape, dtype) in due.items():
            if arrays[key].shape != shape or arrays[key].dtype != dtype:
                raise ValueError(f"{key} is {arrays[key].dtype} {arrays[key].shape}, not {np.dtype(dtype)} {shape}")
        method, steps, seed = (arrays[key][()] for key in ("method", "steps", "seed"))
        if method not in METHODS or not 1 <= steps <= _MOST_STEPS or not seed >= 0:
            raise ValueError(f"sampled by {method!r} in {steps} steps from {seed}")
        about = strict_json(str(arrays["method.model"][()]).encode()) if "method.model" in arrays else None
        pictures = arrays["picture"], arrays["decoded"]
        return Trajectory(calls, inputs, *pictures, str(method), int(steps), int(seed), about)
    # A part that is missing, or another kind of value than is compared; TryOnInputs says what is wrong with its own.
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path.name} is no golden trajectory ({error}): export the bundle again") from error


def _calls(arrays: _Arrays) -> Iterator[Call]:
    calls: dict[tuple[str, int], dict[str, dict[str, NDArray[np.generic]]]] = {}
    for key, array in arrays.items():
        parts = key.split(".")
        if len(parts) != 4 or parts[2] not in ("in", "out"):
            continue
        component, index, side, tensor = parts
        if not index.isdecimal() or index != f"{int(index):03d}":
            raise ValueError(f"{key} is no numbered call")
        calls.setdefault((component, int(index)), {"in": {}, "out": {}})[side][tensor] = array
    for component in {component for component, _ in calls}:
        numbers = sorted(number for name, number in calls if name == component)
        if numbers != list(range(len(numbers))):
            raise ValueError(f"calls of {component} are missing: there are {numbers}")
    for (component, number), sides in calls.items():
        if not sides["in"] or not sides["out"]:
            raise ValueError(f"call {number} of {component} lacks what it was given, or its answer")
        yield Call(component, number, sides["in"], sides["out"])
