"""Scores of a model beside what it should be compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from lite_vton.cli.backends import usable_precision
from lite_vton.cli.choices import one_of
from lite_vton.cli.held_out import held_out_pairs
from lite_vton.cli.screen import progress_bar
from lite_vton.cli.weights import load_model, weights_are_shipped
from lite_vton.errors import UserError
from lite_vton.presets import PRESETS, ModelConfig, preset

if TYPE_CHECKING:
    from lite_vton.data.viton_hd import TryOnSample
    from lite_vton.inputs import TryOnInputs
    from runtimes.base import Runtime
    from training.metrics import Paint, Picture, Scores

__all__ = ["TEACHERS", "Judged", "judge"]

TEACHERS = {"demo": "demo-teacher", "tiny": "tiny-teacher"}
"""Student to the preset that taught it."""


@dataclass(frozen=True)
class Judged:
    """One way to make a try-on, and how it scored. Times include nothing but the painting."""

    what: str
    scores: Scores
    ms_per_pair: float


@dataclass(frozen=True)
class _Model:
    """A runtime with what sampling on it takes."""

    runtime: Runtime
    config: ModelConfig
    latent_scale: float


def judge(
    model: str, data: Path | None, pairs: int, *, steps: int | None, sampler: str | None, seed: int
) -> tuple[Judged, ...]:
    """The model, its teacher where that has trained weights, the pasted warp, and the autoencoder's ceiling."""
    from runtimes.methods import METHODS
    from training.metrics import pasted_warp

    if sampler is not None:
        one_of("sampler", sampler, METHODS)
    with ExitStack() as stack:
        student = _open(model)
        stack.callback(student.runtime.close)
        samples = stack.enter_context(_samples(data, pairs, student.config))
        ways: dict[str, Paint] = {f"{model} ({student.runtime.name})": _sampling(student, steps, sampler, seed)}
        teacher = TEACHERS.get(student.config.name)
        if teacher is not None and weights_are_shipped(preset(teacher)):
            ways[f"teacher {teacher}"] = _sampling(_open(teacher), steps, sampler, seed)
        ways["pasted warp, no network"] = pasted_warp
        ways["autoencoder alone, the ceiling"] = _ceiling(student)
        return tuple(_judged(what, samples, paint) for what, paint in ways.items())


def _open(model: str) -> _Model:
    path = Path(model)
    if model not in PRESETS and (path.suffix == ".zip" or (path / "manifest.json").is_file()):
        from lite_vton import Bundle, load

        bundle = Bundle.open(path)
        runtime = load(bundle, "onnxruntime", usable_precision(bundle, "onnxruntime"))
        return _Model(runtime, bundle.manifest.model, bundle.manifest.latent_scale)
    from lite_vton.bundle import ComponentTensors
    from lite_vton.model.components import COMPONENTS
    from runtimes.torch_runtime import TorchRuntime

    networks = load_model(model).networks
    modules = {name: spec.wrap(networks) for name, spec in COMPONENTS.items()}
    tensors = {
        name: ComponentTensors(inputs=spec.inputs(networks.config), outputs=spec.outputs(networks.config))
        for name, spec in COMPONENTS.items()
    }
    return _Model(TorchRuntime(modules, tensors), networks.config, networks.latent_scale)


@contextmanager
def _samples(data: Path | None, pairs: int, config: ModelConfig) -> Iterator[Sequence[TryOnSample]]:
    if data is not None:
        from lite_vton.data.viton_hd import VitonHD

        on_disk = VitonHD(data, "test", height=config.height, width=config.width)
        if len(on_disk) == 0:
            raise UserError(f"{data} has no test pairs: draw some with `lite-vton data synthesize`")
        yield on_disk[:pairs]
        return
    with progress_bar("drawing pairs", pairs) as update:
        drawn = held_out_pairs(pairs, config.height, config.width, on_progress=lambda done: update(done, ""))
        with drawn as found:
            samples = list(found)
    yield samples


def _sampling(model: _Model, steps: int | None, sampler: str | None, seed: int) -> Paint:
    from runtimes.tryon import try_on

    def paint(inputs: TryOnInputs) -> Picture:
        return try_on(
            model.runtime,
            inputs,
            schedule=model.config.schedule,
            latent_scale=model.latent_scale,
            method=sampler or model.config.default_sampler,
            steps=model.config.default_steps if steps is None else steps,
            seed=seed,
        ).picture

    return paint


def _ceiling(model: _Model) -> Paint:
    """Decoding the encoded truth: what a perfect U-Net would reach with this autoencoder."""
    from lite_vton.inputs import to_picture
    from runtimes.tryon import encode

    def paint(inputs: TryOnInputs) -> Picture:
        latent = encode(model.runtime, inputs.person, 1.0)
        return to_picture(model.runtime.components["vae_decoder"]({"latent_sample": latent})["sample"])

    return paint


def _judged(what: str, samples: Sequence[TryOnSample], paint: Paint) -> Judged:
    from training.metrics import evaluate

    spent = 0.0
    with progress_bar(what, len(samples)) as update:
        done = 0

        def timed(inputs: TryOnInputs) -> Picture:
            nonlocal spent, done
            began = perf_counter()
            picture = paint(inputs)
            spent += perf_counter() - began
            done += 1
            update(done, "")
            return picture

        scores = evaluate(samples, timed)
    return Judged(what, scores, 1e3 * spent / len(samples))
