"""One backend running one target, in a process of its own, so that load time and peak memory are its alone.

Started by `lite_vton_runtimes.benchmark.run` as `python -m lite_vton_runtimes.benchmark.child '<json of Job>'`;
`lite_vton_runtimes.benchmark.process` has what it says and is asked.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, ComponentTensors, Manifest, TensorSpec
from lite_vton.garment.cutout import Cutout, on_white
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_runtimes.backends import BACKENDS, load
from lite_vton_runtimes.base import Runtime
from lite_vton_runtimes.benchmark.process import Prepared, serve
from lite_vton_runtimes.fused import fused_artifact, try_on_fused
from lite_vton_runtimes.sampling.pipeline import try_on

__all__ = ["FUSED", "TRY_ON", "Job", "main", "random_inputs", "random_try_on"]

TRY_ON = "try_on"
"""The target that runs everything: encoder, the sampling, decoder twice."""


FUSED = "fused"
"""The same in one graph, where the bundle has that."""


@dataclass(frozen=True)
class Job:
    """What one child measures. `target` is a component's name, `TRY_ON` or `FUSED`; `warmup` counts runs not timed."""

    bundle: str
    backend: str
    precision: str
    target: str
    method: str
    steps: int
    seed: int
    warmup: int

    def to_json(self) -> str:
        """One command-line argument."""
        return json.dumps(asdict(self))


def main(argument: str) -> None:
    """Serve one job over stdin and stdout."""
    serve(lambda: _prepare(Job(**json.loads(argument))))


def _prepare(job: Job) -> Prepared:
    # The front door, so that what is timed is what a user gets.
    begin = perf_counter()
    bundle = Bundle.open(job.bundle)
    opened_s = perf_counter() - begin
    random = random_inputs(bundle.manifest.components)

    begin = perf_counter()
    if job.target == FUSED:
        run, close = _fused_work(job, bundle)
        run()
        load_s = opened_s + perf_counter() - begin
        for _ in range(job.warmup):
            run()
        return Prepared(load_s, run, close)
    runtime = load(bundle, backend=job.backend, precision=job.precision)
    for name in bundle.manifest.model.components if job.target == TRY_ON else (job.target,):
        runtime.components[name](random[name])
    load_s = opened_s + perf_counter() - begin

    run = _work(job, bundle.manifest, runtime, random)
    for _ in range(job.warmup):
        run()
    return Prepared(load_s, run, runtime.close)


def _work(
    job: Job, manifest: Manifest, runtime: Runtime, random: dict[str, dict[str, NDArray[Any]]]
) -> Callable[[], object]:
    if job.target != TRY_ON:
        component = runtime.components[job.target]
        return lambda: component(random[job.target])
    inputs = random_try_on(manifest.height, manifest.width)
    return lambda: try_on(
        runtime,
        inputs,
        manifest.model,
        manifest.latent_scale,
        method=job.method,
        steps=job.steps,
        seed=job.seed,
    )


def _fused_work(job: Job, bundle: Bundle) -> tuple[Callable[[], object], Callable[[], None]]:
    """A fused try-on, and what frees its graph."""
    fused = fused_artifact(bundle, str(BACKENDS[job.backend].artifact), job.precision)
    runtime = load(bundle, backend=job.backend, precision=job.precision, fused=True)
    inputs = random_try_on(bundle.manifest.height, bundle.manifest.width)
    return lambda: try_on_fused(runtime, inputs, fused, steps=job.steps, seed=job.seed), runtime.close


def random_inputs(components: Mapping[str, ComponentTensors]) -> dict[str, dict[str, NDArray[Any]]]:
    """By component, arrays for its inputs: standard normal, timesteps 0; the same every time."""
    generator = np.random.default_rng(0)

    def array(spec: TensorSpec) -> NDArray[Any]:
        if np.issubdtype(np.dtype(spec.dtype), np.integer):
            return np.zeros(spec.shape, dtype=spec.dtype)
        return generator.standard_normal(spec.shape, dtype=np.float32).astype(spec.dtype)

    return {name: {spec.name: array(spec) for spec in tensors.inputs} for name, tensors in components.items()}


def random_try_on(height: int, width: int) -> TryOnInputs:
    """A person, a garment and a pose of noise, in pixels of (height, width), the middle to be repainted."""
    size = (height, width)
    generator = np.random.default_rng(0)
    person, garment, skeleton = generator.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    mask = np.zeros(size, dtype=np.float32)
    mask[size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 1
    return TryOnInputs.compose(person, mask, garment, mask, skeleton, on_white(Cutout(garment, mask)))


if __name__ == "__main__":
    main(sys.argv[1])
