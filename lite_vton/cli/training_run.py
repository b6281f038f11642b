"""A training run from a dataset's folder to two files of weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.cli.choices import one_of
from lite_vton.cli.failures import StoppedError
from lite_vton.cli.screen import progress_bar
from lite_vton.cli.weights import load_model, run_files
from lite_vton.errors import UserError
from lite_vton.presets import ModelConfig, preset

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

    from lite_vton.model.autoencoder import Autoencoder
    from lite_vton.model.networks import Networks
    from training.latents import LatentPairs
    from training.loop import LoopConfig, Observer, OnStep
    from training.pictures import PicturePairs

__all__ = ["STARTS", "Lessons", "Schooling", "distill_model", "train_model"]

STARTS = ("slim", "random")
"""A student's first weights: its teacher's, cut down, or chance."""

SAMPLED_PAIRS = 4
"""Pairs on a sample picture: the first of the data."""


@dataclass(frozen=True)
class Schooling:
    """How long and how fast each network is trained; see `training.loop.LoopConfig`.

    `sample_every` is after how many steps of the U-Net a picture of samples is written; 0: never.
    """

    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    bf16: bool = False
    accumulation: int = 1
    gradient_checkpointing: bool = False
    sample_every: int = 0

    def loop(self) -> LoopConfig:
        """For the training loop. Short runs warm up and save in proportion, and average over less."""
        from training.loop import LoopConfig

        return LoopConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
            warmup_steps=min(100, self.steps // 10),
            checkpoint_every=max(1, min(200, self.steps // 10)),
            bf16=self.bf16,
            accumulation=self.accumulation,
            gradient_checkpointing=self.gradient_checkpointing,
        )


@dataclass(frozen=True)
class Lessons:
    """What a student is given by its teacher.

    `kind` is a row of `training.losses.DISTILLATIONS`; `start` one of `STARTS`, or None for slim where the teacher's
    shapes allow it. The rest as in `training.losses.LossConfig`.
    """

    kind: str = "output"
    start: str | None = None
    feature_weight: float = 0.1
    similarity_every: int = 0


def train_model(
    model: str,
    data: Path,
    output: Path,
    schooling: Schooling,
    *,
    resume: bool = False,
    autoencoder: Path | None = None,
) -> tuple[Path, Path]:
    """Autoencoder, unless one is given, then U-Net; returns the files of their weights.

    Raises `StoppedError` when interrupted, `UserError` for a dataset, a preset or an output that will not do.
    """
    import numpy as np

    from lite_vton.model.networks import Networks
    from training.autoencoder import train_autoencoder
    from training.denoiser import train_denoiser
    from training.latents import encode_pairs

    config = preset(model)
    _refuse(output, resume)
    given = None if autoencoder is None else _kept_autoencoder(config, autoencoder)
    with _resumable(output):
        pictures = _read(config, data)
        if given is None:
            # Composites too: the encoder will meet their grey holes.
            faces = np.concatenate([pictures.person, pictures.masked_person])
            whole = replace(schooling, accumulation=1, gradient_checkpointing=False)  # it is small
            with _bar("autoencoder", schooling) as on_step:
                given = train_autoencoder(
                    config, faces, whole.loop(), output / "autoencoder", resume=resume, on_step=on_step
                )
        pairs = encode_pairs(pictures, *given)
        with _bar("U-Net", schooling) as on_step:
            unet = train_denoiser(
                config,
                pairs,
                schooling.loop(),
                output / "unet",
                resume=resume,
                on_step=on_step,
                observers=_observers(config, pairs, *given, output, schooling),
            )
    return _save(Networks(config, given[0].eval(), unet, given[1]), output)


def distill_model(
    model: str,
    teacher: str,
    data: Path,
    output: Path,
    schooling: Schooling,
    lessons: Lessons,
    *,
    resume: bool = False,
    tell: Callable[[str], None] = print,
) -> tuple[Path, Path]:
    """A student's U-Net beside its teacher's; returns the files of its weights, the teacher's autoencoder included.

    `tell` hears how the student starts. Raises `StoppedError` when interrupted, `UserError` for a teacher with another
    autoencoder or noise schedule.
    """
    from lite_vton.model.denoiser import Denoiser
    from lite_vton.model.networks import Networks
    from training.denoiser import train_denoiser
    from training.latents import encode_pairs
    from training.losses import DISTILLATIONS, LossConfig

    config = preset(model)
    one_of("distillation", lessons.kind, DISTILLATIONS)
    _refuse(output, resume)
    taught = load_model(teacher).networks
    if (taught.config.autoencoder, taught.config.schedule) != (config.autoencoder, config.schedule):
        raise UserError(
            f"{teacher} ({taught.config.name}) and {model} have different latents or noise schedules: "
            "choose a teacher with the student's autoencoder"
        )
    start = _first_weights(config, taught, lessons.start, tell)
    with _resumable(output):
        pairs = encode_pairs(_read(config, data), taught.autoencoder, taught.latent_scale)
        with _bar("student", schooling) as on_step:
            unet = train_denoiser(
                config,
                pairs,
                schooling.loop(),
                output / "unet",
                distill=lessons.kind,
                teacher=Denoiser(taught.config, taught.unet),
                start=start,
                losses=LossConfig(feature=lessons.feature_weight, similarity_every=lessons.similarity_every),
                resume=resume,
                on_step=on_step,
                observers=_observers(config, pairs, taught.autoencoder, taught.latent_scale, output, schooling),
            )
    return _save(Networks(config, taught.autoencoder, unet, taught.latent_scale), output)


def _first_weights(
    config: ModelConfig, taught: Networks, start: str | None, tell: Callable[[str], None]
) -> UNet2DConditionModel | None:
    """The teacher's U-Net cut down to `config`'s; None for weights at random."""
    from lite_vton.model.unet import build_unet
    from training.slimming import slim

    if start is not None:
        one_of("start", start, STARTS)
    if start == "random":
        return None
    student = build_unet(config.unet, config.autoencoder.latent_channels)
    assert isinstance(taught.unet, type(student))
    try:
        if taught.config.unet.residual_deviation != config.unet.residual_deviation:
            raise UserError("student and teacher mean different things by their output: start at random")
        slim(taught.unet, student)
    except UserError as error:
        if start == "slim":
            raise
        tell(f"the student's first weights are random, since it cannot be cut out of its teacher ({error})")
        return None
    tell("the student's first weights are its teacher's, cut down to its size (--init random for chance)")
    return student


def _observers(
    config: ModelConfig,
    pairs: LatentPairs,
    autoencoder: Autoencoder,
    latent_scale: float,
    output: Path,
    schooling: Schooling,
) -> list[Observer]:
    from training.sample_grid import SampleGrid

    if not schooling.sample_every:
        return []
    shown = pairs.part(slice(0, SAMPLED_PAIRS))
    return [SampleGrid(config, shown, autoencoder, latent_scale, output / "samples", schooling.sample_every)]


def _save(networks: Networks, output: Path) -> tuple[Path, Path]:
    from lite_vton.model.networks import save_networks

    files = run_files(output)
    if _first_process():
        save_networks(networks, *files)
    return files


def _first_process() -> bool:
    """Whether this is the only process of the run, or the one of several that writes."""
    return os.environ.get("RANK", "0") == "0"


def _refuse(output: Path, resume: bool) -> None:
    if not _first_process():
        return  # the first one may have begun to write by now
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file: choose a folder for the run")
    if not resume and output.is_dir() and any(output.iterdir()):
        raise UserError(f"{output} exists: go on with it with --resume, or choose another folder")


def _kept_autoencoder(config: ModelConfig, file: Path) -> tuple[Autoencoder, float]:
    from lite_vton.model.networks import load_autoencoder

    if not file.is_file():
        raise UserError(f"no autoencoder at {file}: give the autoencoder.safetensors of a run")
    return load_autoencoder(config, file)


def _read(config: ModelConfig, data: Path) -> PicturePairs:
    from lite_vton.data.opening import open_pairs
    from training.pictures import read_pictures

    samples = open_pairs(data, "train", height=config.height, width=config.width)
    if len(samples) == 0:
        raise UserError(f"{data} has no training pairs: draw some with `lite-vton data synthesize`")
    with progress_bar("reading pairs", len(samples)) as update:
        return read_pictures(samples, workers=os.cpu_count() or 1, progress=lambda done: update(done, ""))


@contextmanager
def _bar(name: str, schooling: Schooling) -> Iterator[OnStep]:
    with progress_bar(name, schooling.steps) as update:

        def on_step(step: int, terms: dict[str, float]) -> None:
            update(step + 1, " ".join(f"{term} {value:.4f}" for term, value in terms.items()))

        yield on_step


@contextmanager
def _resumable(output: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise StoppedError(f"stopped; go on with the same command and --resume (the run is in {output})") from error
