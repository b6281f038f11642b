"""Scores of a model beside what it should be compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from lite_vton.data.held_out import held_out_pairs
from lite_vton.errors import UserError
from lite_vton.presets.conditioning import Conditioning
from lite_vton.presets.config import MaskKind, ModelConfig
from lite_vton.presets.table import preset
from lite_vton.workflows.backends import usable_precision
from lite_vton.workflows.evaluate.report import Judged, Judgement
from lite_vton.workflows.progress import progress_bar
from lite_vton.workflows.weights import is_bundle, load_model, weights_are_shipped
from lite_vton_runtimes.backends import load

if TYPE_CHECKING:
    from lite_vton.data.sample import PairFolder, TryOnSample
    from lite_vton_runtimes.base import Runtime
    from lite_vton_training.metrics import Backbones, Paint, Picture

__all__ = ["DEFAULT_PAIRS", "KEYS", "Judged", "Sampling", "TestPairs", "judge", "open_test_pairs"]

DEFAULT_PAIRS = 64
"""How many a model is judged on where nobody says."""

KEYS = ("model", "teacher", "pasted-warp", "inpainted-warp", "poisson-warp", "autoencoder")
"""Of the ways to make a try-on that are judged; they name the folders of their pictures."""

TakePicture = Callable[[str, "TryOnSample", "Picture"], None]
"""Called with the way's key, the pair and the picture with the person's own pixels back outside the mask."""


@dataclass(frozen=True)
class TestPairs:
    """Which pairs to judge on.

    `data` is a folder in VITON-HD's or DressCode's layout, None newly drawn pairs; `count` the first so many, None for
    the default; `category` one of DressCode's; `skip_broken` leaves out pairs whose files cannot be used; `mask` is
    what of the people is repainted, None for what the model was trained on, or improved where there is no model.
    """

    __test__ = False  # no pytest class

    data: Path | None = None
    count: int | None = None
    paired: bool = True
    category: str | None = None
    skip_broken: bool = False
    mask: MaskKind | None = None


@dataclass(frozen=True)
class Sampling:
    """How a model paints; None for the model's own number of steps and sampler, `detail` as for `run`."""

    steps: int | None = None
    sampler: str | None = None
    seed: int = 0
    detail: bool = True


@dataclass(frozen=True)
class _Model:
    """A runtime with what sampling on it takes."""

    runtime: Runtime
    config: ModelConfig
    latent_scale: float


@dataclass(frozen=True)
class _Way:
    """One way to make a try-on; `key` is one of `KEYS`."""

    key: str
    what: str
    paint: Paint


def judge(
    model: str, pairs: TestPairs, sampling: Sampling, backbones: Backbones, takers: Sequence[TakePicture] = ()
) -> Judgement:
    """The model, its teacher where that has trained weights, what needs no network, and the autoencoder's ceiling.

    `UserError` for an unknown model or sampler, and for pairs that cannot be read.
    """
    from lite_vton_training.metrics.baselines import inpainted_warp, pasted_warp, poisson_warp

    with ExitStack() as stack:
        student = _open(model)
        stack.callback(student.runtime.close)
        mask = pairs.mask or student.config.mask
        pairs = replace(pairs, mask=mask)
        samples, skipped = stack.enter_context(_samples(pairs, student.config))
        ways = [_Way("model", f"{model} ({student.runtime.name})", _sampling(student, sampling))]
        teacher = student.config.teacher
        # One that was trained on other masks is nobody's teacher here.
        taught = teacher is not None and Conditioning.of(preset(teacher)) == Conditioning.of(student.config)
        if teacher is not None and taught and weights_are_shipped(preset(teacher)):
            ways.append(_Way("teacher", f"teacher {teacher}", _sampling(_open(teacher), sampling)))
        ways += [
            _Way("pasted-warp", "pasted warp, no network", pasted_warp),
            _Way("inpainted-warp", "pasted warp, inpainted", inpainted_warp),
            _Way("poisson-warp", "pasted warp, Poisson", poisson_warp),
        ]
        ways.append(_Way("autoencoder", "autoencoder alone, the ceiling", _ceiling(student)))
        return Judgement(
            rows=_judged(samples, ways, backbones, pairs.paired, takers),
            data="drawn, held out" if pairs.data is None else str(pairs.data),
            paired=pairs.paired,
            height=student.config.height,
            width=student.config.width,
            sampler=sampling.sampler or student.config.default_sampler,
            steps=student.config.default_steps if sampling.steps is None else sampling.steps,
            seed=sampling.seed,
            detail=sampling.detail,
            mask=mask,
            sources=backbones.sources,
            left_out=backbones.left_out,
            skipped=skipped,
        )


def open_test_pairs(pairs: TestPairs, height: int, width: int) -> tuple[PairFolder, tuple[str, ...]]:
    """The pairs of `pairs.data` at (height, width), all of them, and a line for each that was skipped.

    `UserError` for a folder that cannot be read, or where nothing is left.
    """
    from lite_vton.data.opening import open_pairs

    assert pairs.data is not None
    found = open_pairs(pairs.data, "test", pairs.paired, height, width, pairs.category, pairs.mask or "improved")
    if not pairs.skip_broken:
        return found, ()
    with progress_bar("checking files", len(found)) as update:
        sound, faults = found.without_broken(lambda done: update(done, ""))
    if len(sound) == 0:
        raise UserError(f"all {len(found)} pairs of {pairs.data} are broken, the first: {faults[0]}")
    return sound, faults


def _open(model: str) -> _Model:
    if is_bundle(model):
        from lite_vton.bundle import Bundle

        bundle = Bundle.open(Path(model))
        runtime = load(bundle, "onnxruntime", usable_precision(bundle, "onnxruntime"))
        return _Model(runtime, bundle.manifest.model, bundle.manifest.latent_scale)
    from lite_vton.model.components import component_tensors, wrapped
    from lite_vton_runtimes.torch.runtime import TorchRuntime

    networks = load_model(model).networks
    runtime = TorchRuntime(wrapped(networks), component_tensors(networks.config))
    return _Model(runtime, networks.config, networks.latent_scale)


@contextmanager
def _samples(pairs: TestPairs, config: ModelConfig) -> Iterator[tuple[Sequence[TryOnSample], tuple[str, ...]]]:
    count = DEFAULT_PAIRS if pairs.count is None else pairs.count
    if pairs.data is not None:
        on_disk, skipped = open_test_pairs(pairs, config.height, config.width)
        yield on_disk.first(count), skipped
        return
    with progress_bar("drawing pairs", count) as update:
        drawn = held_out_pairs(
            count,
            config.height,
            config.width,
            paired=pairs.paired,
            mask=pairs.mask or config.mask,
            on_progress=lambda done: update(done, ""),
        )
        with drawn as found:
            samples = list(found)
    yield samples, ()


def _sampling(model: _Model, sampling: Sampling) -> Paint:
    """What `run` gives inside the mask, and outside it what the decoder made of the person."""
    from lite_vton.tryon.inputs import to_picture
    from lite_vton_runtimes.sampling.pipeline import try_on
    from lite_vton_training.metrics import repainted

    def paint(sample: TryOnSample) -> Picture:
        result = try_on(
            model.runtime,
            sample.inputs,
            model.config,
            model.latent_scale,
            method=sampling.sampler,
            steps=sampling.steps,
            seed=sampling.seed,
            detail=sampling.detail,
        )
        return repainted(result.picture, to_picture(result.decoded), sample.inputs.mask[0, 0] > 0.5)

    return paint


def _ceiling(model: _Model) -> Paint:
    """Decoding the encoded truth: what a perfect U-Net would reach with this autoencoder."""
    from lite_vton.tryon.inputs import to_picture
    from lite_vton_runtimes.sampling.pipeline import decode, encode

    def paint(sample: TryOnSample) -> Picture:
        latent = encode(model.runtime, sample.inputs.person, 1.0, model.config.encoder_batch)
        return to_picture(decode(model.runtime, latent, 1.0, model.config.decoder_tile))

    return paint


def _judged(
    samples: Sequence[TryOnSample],
    ways: Sequence[_Way],
    backbones: Backbones,
    paired: bool,
    takers: Sequence[TakePicture],
) -> tuple[Judged, ...]:
    """Pair by pair, so that a dataset of any size is in memory one pair at a time."""
    from lite_vton.tryon.inputs import to_picture
    from lite_vton_training.metrics import Tally, repainted

    tallies = {way.key: Tally(backbones, paired) for way in ways}
    spent = dict.fromkeys(tallies, 0.0)
    photographs = []
    with progress_bar("judging", len(samples) * len(ways)) as update:
        for number, sample in enumerate(samples):
            target, inside = to_picture(sample.target), sample.inputs.mask[0, 0] > 0.5
            if backbones.inception is not None:
                photographs.append(backbones.inception.features([target]))
            for done, way in enumerate(ways, start=1):
                began = perf_counter()
                picture = way.paint(sample)
                spent[way.key] += perf_counter() - began
                tallies[way.key].add(picture, target, inside)
                for take in takers:
                    take(way.key, sample, repainted(picture, target, inside))
                update(number * len(ways) + done, sample.name)
        update(len(samples) * len(ways), "FID and KID" if photographs else "")
        return tuple(
            Judged(way.key, way.what, tallies[way.key].scores(photographs), 1e3 * spent[way.key] / len(samples))
            for way in ways
        )
