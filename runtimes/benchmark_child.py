"""One backend running one target, in a process of its own, so that load time and peak memory are its alone.

Started by `runtimes.benchmark` as `python -m runtimes.benchmark_child '<json of Job>'`. Speaks JSON lines: it says
`{"load_s": ...}` once warm, answers each number of runs on stdin with `{"ms": [...]}`, and the end of stdin with
`{"peak_rss_bytes": ...}`. Something the user can mend comes as `{"error": ...}`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, Manifest, TensorSpec
from lite_vton.errors import UserError
from lite_vton.garment import Cutout, on_white
from lite_vton.inputs import TryOnInputs
from runtimes.base import Runtime
from runtimes.peak_memory import peak_rss_bytes
from runtimes.tryon import try_on

__all__ = ["TRY_ON", "Job", "main"]

TRY_ON = "try_on"
"""The target that runs everything: encoder, the sampling, decoder twice."""


@dataclass(frozen=True)
class Job:
    """What one child measures. `target` is a component's name or `TRY_ON`; `warmup` counts runs not timed."""

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
    # Whatever a backend prints must not end up between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    try:
        _serve(Job(**json.loads(argument)), say)
    except UserError as error:
        say({"error": str(error)})


def _serve(job: Job, say: Callable[[dict[str, Any]], None]) -> None:
    # The front door, so that what is timed is what a user gets.
    from lite_vton import load

    begin = perf_counter()
    bundle = Bundle.open(job.bundle)
    opened_s = perf_counter() - begin
    random = _random_inputs(bundle.manifest)

    begin = perf_counter()
    runtime = load(bundle, backend=job.backend, precision=job.precision)
    for name in bundle.manifest.model.components if job.target == TRY_ON else (job.target,):
        runtime.components[name](random[name])
    load_s = opened_s + perf_counter() - begin

    run = _work(job, bundle.manifest, runtime, random)
    for _ in range(job.warmup):
        run()
    say({"load_s": load_s})  # only now: whoever is told may start to measure another process
    for line in sys.stdin:
        run()  # the processes that had their turn since have taken the caches
        say({"ms": [_milliseconds(run) for _ in range(int(line))]})
    say({"peak_rss_bytes": peak_rss_bytes()})
    runtime.close()


def _milliseconds(run: Callable[[], object]) -> float:
    begin = perf_counter()
    run()
    return (perf_counter() - begin) * 1e3


def _work(
    job: Job, manifest: Manifest, runtime: Runtime, random: dict[str, dict[str, NDArray[Any]]]
) -> Callable[[], object]:
    if job.target != TRY_ON:
        component = runtime.components[job.target]
        return lambda: component(random[job.target])
    inputs = _random_try_on(manifest)
    return lambda: try_on(
        runtime,
        inputs,
        schedule=manifest.model.schedule,
        latent_scale=manifest.latent_scale,
        told=manifest.model.unet.told,
        encoder_batch=manifest.model.encoder_batch,
        decoder_tile=manifest.model.decoder_tile,
        method=job.method,
        steps=job.steps,
        seed=job.seed,
    )


def _random_inputs(manifest: Manifest) -> dict[str, dict[str, NDArray[Any]]]:
    generator = np.random.default_rng(0)

    def array(spec: TensorSpec) -> NDArray[Any]:
        if np.issubdtype(np.dtype(spec.dtype), np.integer):
            return np.zeros(spec.shape, dtype=spec.dtype)
        return generator.standard_normal(spec.shape, dtype=np.float32).astype(spec.dtype)

    return {name: {spec.name: array(spec) for spec in tensors.inputs} for name, tensors in manifest.components.items()}


def _random_try_on(manifest: Manifest) -> TryOnInputs:
    size = (manifest.height, manifest.width)
    generator = np.random.default_rng(0)
    person, garment, skeleton = generator.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    mask = np.zeros(size, dtype=np.float32)
    mask[size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 1
    return TryOnInputs.compose(person, mask, garment, mask, skeleton, on_white(Cutout(garment, mask)))


if __name__ == "__main__":
    main(sys.argv[1])
