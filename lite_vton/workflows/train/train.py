"""A training run from a dataset's folder to two files of weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of
from lite_vton.messages.commands import command
from lite_vton.presets.autoencoders import autoencoder_kind, with_autoencoder
from lite_vton.presets.conditioning import Conditioning, as_mask
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import AUTOENCODERS, preset
from lite_vton.workflows.names import DISTILLATIONS, STARTS
from lite_vton.workflows.train.autoencoder import chosen, is_file
from lite_vton.workflows.train.pairs import (
    AUTOENCODER_PAIRS,
    TrainingData,
    encoded,
    encoded_on_disk,
    open_training_pairs,
    read,
    refuse_no_folder,
    said_of_pairs,
    some,
)
from lite_vton.workflows.train.processes import first_process, if_first
from lite_vton.workflows.train.run_folder import record_start, refuse_folder, resumable, save_run, step_bar
from lite_vton.workflows.weights import config_of, load_model

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from torch import nn

    from lite_vton.model.autoencoder import Autoencoder
    from lite_vton.model.networks import Networks
    from lite_vton_training.dataset.latents import Pairs
    from lite_vton_training.dataset.pictures import PicturePairs
    from lite_vton_training.loop.fit import LoopConfig, Observer

__all__ = ["Conditions", "Lessons", "Schooling", "distill_model", "train_model"]

_CUT_DOWN = "the student's first weights are its teacher's, cut down to its size (--init random for chance)"

SAMPLED_PAIRS = 4
"""Pairs on a sample picture: the first of the data."""


@dataclass(frozen=True)
class Schooling:
    """How long and how fast each network is trained; see `lite_vton_training.loop.fit.LoopConfig`.

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
        from lite_vton_training.loop.fit import LoopConfig

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

    `kind` is a row of `lite_vton_training.trainers.losses.DISTILLATIONS`; `start` one of `STARTS`, or None for slim
    where the teacher's shapes allow it. The rest as in `lite_vton_training.trainers.losses.LossConfig`.
    """

    kind: str = "output"
    start: str | None = None
    feature_weight: float = 0.1
    similarity_every: int = 0


@dataclass(frozen=True)
class Conditions:
    """What a model is to be told, as far as it was said: `mask` and `pose` as in
    `lite_vton.presets.conditioning.Conditioning`.

    None is what is usual: the preset's, and for a student its teacher's. `image_encoder` is the folder of a CLIP image
    tower, for presets that look through one.
    """

    mask: str | None = None
    pose: bool | None = None
    image_encoder: Path | None = None

    def applied_to(self, config: ModelConfig, usual: Conditioning) -> ModelConfig:
        """The preset `config` so conditioned; `UserError` for a mask that is not known."""
        mask = usual.mask if self.mask is None else as_mask(self.mask)
        pose = usual.pose if self.pose is None else self.pose
        return replace(Conditioning.of(config), mask=mask, pose=pose).applied_to(config)


def train_model(
    model: str,
    data: TrainingData,
    output: Path,
    schooling: Schooling,
    conditions: Conditions = Conditions(),  # frozen
    *,
    resume: bool = False,
    autoencoder: str | None = None,
    start: str | None = None,
    tell: Callable[[str], None] = print,
) -> tuple[Path, ...]:
    """Autoencoder, unless one is given, then U-Net; returns the files of their weights.

    `autoencoder` is a trained one's file, or the kind that is to be trained (`lite_vton.presets.autoencoders.KINDS`).
    `start` is a run of the same preset, or the preset's name where it has weights: the U-Net goes on from its weights,
    beside its autoencoder and its image tower. `tell` hears which pairs are left out. Raises `StoppedError` when
    interrupted, `UserError` for a dataset, a preset, a start or an output that will not do, and for an image encoder
    that is missing or not needed.
    """
    config = chosen(preset(model), autoencoder)
    if start is not None:
        config_of(start)
    _refuse_at_once(data, output, conditions, resume)
    from lite_vton.model.networks import Networks, load_autoencoder
    from lite_vton_training.trainers.denoiser import train_denoiser

    begun = None if start is None else _begun(start, config, autoencoder, conditions)
    if begun is not None:
        config = replace(config, autoencoder=begun.config.autoencoder)
    config = conditions.applied_to(config, Conditioning.of(config if begun is None else begun.config))
    if begun is None:
        tower = _image_encoder(config, conditions.image_encoder)
        kept = None if autoencoder is None or not is_file(autoencoder) else Path(autoencoder)
        given = None if kept is None else load_autoencoder(config, kept)
    else:
        _refuse_other_channels(start, config, begun)
        tower, given = begun.image_encoder, (begun.autoencoder, begun.latent_scale)
    with resumable(output):
        samples = open_training_pairs(data, config, if_first(tell))
        if data.shards is None:
            pictures = read(samples, garments=tower is not None)
            given = given or _autoencoder(config, pictures, schooling, output, resume)
            pairs = encoded(pictures, *given, tower)
        else:
            if given is None:
                pictures = read(some(samples, AUTOENCODER_PAIRS), garments=False)
                given = _autoencoder(config, pictures, schooling, output, resume)
                del pictures
            pairs = encoded_on_disk(samples, data.shards, *given, tower)
        with step_bar("U-Net", schooling.steps) as on_step:
            unet = train_denoiser(
                config,
                pairs,
                schooling.loop(),
                output / "unet",
                start=None if begun is None else _unet_of(begun),
                image_encoder=tower,
                resume=resume,
                on_step=on_step,
                observers=_observers(config, pairs, *given, output, schooling),
                about=said_of_pairs(samples, *given, tower),
            )
        return save_run(Networks(config, given[0].eval(), unet, given[1], tower), output)


def distill_model(
    model: str,
    teacher: str,
    data: TrainingData,
    output: Path,
    schooling: Schooling,
    lessons: Lessons,
    conditions: Conditions = Conditions(),  # frozen
    *,
    resume: bool = False,
    autoencoder: str | None = None,
    tell: Callable[[str], None] = print,
) -> tuple[Path, ...]:
    """A student's U-Net beside its teacher's; returns the files of its weights, the teacher's autoencoder included.

    Where the teacher has CLIP's tokens they come from its own image encoder, also for a student that has them.
    `autoencoder` is the file of one in the teacher's latent space, which the student then has in place of the
    teacher's; pairs are encoded with it. `tell` hears how the student starts and how far its first answer is from its
    teacher's (`start.json` of the run says that too), and which pairs are left out.
    Raises `StoppedError` when interrupted, `UserError` for a teacher with another autoencoder, noise schedule, image
    encoder or mask.
    """
    config = preset(model)
    one_of("distillation", lessons.kind, DISTILLATIONS)
    if lessons.start is not None:
        one_of("start", lessons.start, STARTS)
    config_of(teacher)
    _refuse_at_once(data, output, conditions, resume)
    from lite_vton.model.denoiser import Denoiser
    from lite_vton.model.networks import Networks
    from lite_vton_training.distillation.starts import first_answer
    from lite_vton_training.trainers.denoiser import train_denoiser
    from lite_vton_training.trainers.losses import LossConfig

    taught = load_model(teacher, autoencoder).networks
    if config.name in AUTOENCODERS:
        config = with_autoencoder(config, autoencoder_kind(taught.config))
    if (taught.config.autoencoder, taught.config.schedule) != (config.autoencoder, config.schedule):
        raise UserError(
            f"{teacher} ({taught.config.name}) and {model} have different latents or noise schedules: "
            "choose a teacher with the student's autoencoder"
        )
    config = conditions.applied_to(config, Conditioning.of(taught.config))
    if config.mask != taught.config.mask:
        # The warm start and what is to be painted would be another for each.
        raise UserError(f"{teacher} was trained on {taught.config.mask} masks: teach with those, or leave out --mask")
    tower = _teachers_image_encoder(config, taught, conditions.image_encoder)
    taught_denoiser = Denoiser(taught.config, taught.unet)
    start = _first_weights(config, taught, lessons.start, if_first(tell))
    first = None if start is None else first_answer(taught_denoiser, Denoiser(config, start))
    if first is not None:
        if_first(tell)(f"{_CUT_DOWN}; {first}")
    with resumable(output):
        samples = open_training_pairs(data, config, if_first(tell))
        latents = (taught.autoencoder, taught.latent_scale)
        if data.shards is None:
            pairs = encoded(read(samples, garments=tower is not None), *latents, tower)
        else:
            pairs = encoded_on_disk(samples, data.shards, *latents, tower)
        if first is not None and first_process():
            record_start(first, output)
        with step_bar("student", schooling.steps) as on_step:
            unet = train_denoiser(
                config,
                pairs,
                schooling.loop(),
                output / "unet",
                distill=lessons.kind,
                teacher=taught_denoiser,
                start=start,
                losses=LossConfig(feature=lessons.feature_weight, similarity_every=lessons.similarity_every),
                image_encoder=tower,
                resume=resume,
                on_step=on_step,
                observers=_observers(config, pairs, *latents, output, schooling),
                about=said_of_pairs(samples, *latents, tower),
            )
        kept = None if config.image_encoder is None else tower
        return save_run(Networks(config, taught.autoencoder, unet, taught.latent_scale, kept), output)


def _refuse_at_once(data: TrainingData, output: Path, conditions: Conditions, resume: bool) -> None:
    """A `UserError` for what can be told to be wrong before torch is imported, which takes seconds."""
    if conditions.mask is not None:
        as_mask(conditions.mask)
    if conditions.image_encoder is not None and not conditions.image_encoder.is_dir():
        raise UserError(f"no image encoder at {conditions.image_encoder}: name the folder transformers saved it in")
    refuse_folder(output, resume)
    refuse_no_folder(data)


def _begun(start: str, config: ModelConfig, autoencoder: str | None, conditions: Conditions) -> Networks:
    """The networks to go on from."""
    if autoencoder is not None:
        raise UserError("--start brings its own autoencoder: leave out --autoencoder")
    if conditions.image_encoder is not None:
        raise UserError("--start brings its own image encoder, if it has one: leave out --image-encoder")
    begun = load_model(start).networks
    if begun.config.name != config.name:
        distil = command("distill", config.name, "--teacher", Path(start))
        raise UserError(
            f"{start} is of preset {begun.config.name!r}, not {config.name!r}: "
            f"train {begun.config.name}, or teach {config.name} with it (`{distil} --data DATA -o RUN`)"
        )
    return begun


def _refuse_other_channels(start: str | None, config: ModelConfig, begun: Networks) -> None:
    if begun.config.unet != config.unet:
        has = "the pose" if "pose" in begun.config.unet.told else "no pose"
        raise UserError(f"{start} is shown {has}, and its U-Net has the channels for that: leave out --pose, --no-pose")


def _unet_of(networks: Networks) -> UNet2DConditionModel:
    from diffusers import UNet2DConditionModel

    assert isinstance(networks.unet, UNet2DConditionModel)
    return networks.unet


def _autoencoder(
    config: ModelConfig, pictures: PicturePairs, schooling: Schooling, output: Path, resume: bool
) -> tuple[Autoencoder, float]:
    import numpy as np

    from lite_vton_training.loop.checkpoint import is_begun
    from lite_vton_training.loop.fit import as_begun
    from lite_vton_training.trainers.autoencoder import train_autoencoder

    # Composites too: the encoder will meet their grey holes.
    faces = np.concatenate([pictures.person, pictures.masked_person])
    folder = output / "autoencoder"
    loop = replace(schooling, accumulation=1, gradient_checkpointing=False).loop()  # it is small
    if resume and is_begun(output / "unet"):
        loop = as_begun(loop, folder)  # its latents are what the U-Net was begun on
    with step_bar("autoencoder", loop.steps) as on_step:
        return train_autoencoder(config, list(faces), loop, folder, resume=resume, on_step=on_step)


def _image_encoder(config: ModelConfig, folder: Path | None) -> nn.Module | None:
    """The tower in `folder`; None for a model that has none."""
    if config.image_encoder is None:
        if folder is not None:
            raise UserError(f"{config.name} does not look through CLIP: leave out --image-encoder")
        return None
    if folder is None:
        raise UserError(
            f"{config.name} looks at the garment through CLIP: name the folder of its image tower, "
            "as transformers saves it, with --image-encoder"
        )
    from lite_vton.model.image_encoder import load_image_encoder

    tower: nn.Module = load_image_encoder(config.image_encoder, folder)
    return tower


def _teachers_image_encoder(config: ModelConfig, taught: Networks, folder: Path | None) -> nn.Module | None:
    """The teacher's tower, or the student's own where its teacher has none."""
    if taught.image_encoder is None:
        return _image_encoder(config, folder)
    if folder is not None:
        raise UserError("the teacher has an image encoder, and its tokens are the student's: leave out --image-encoder")
    if config.image_encoder not in (None, taught.config.image_encoder):
        raise UserError(f"{config.name} and its teacher look through different CLIPs: choose a teacher with the same")
    return taught.image_encoder


def _first_weights(
    config: ModelConfig, taught: Networks, start: str | None, tell: Callable[[str], None]
) -> UNet2DConditionModel | None:
    """The teacher's U-Net cut down to `config`'s; None for weights at random."""
    from lite_vton.model.unet import build_unet
    from lite_vton_training.distillation.slimming import slim

    if start == "random":
        return None
    student = build_unet(config)
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
    return student


def _observers(
    config: ModelConfig,
    pairs: Pairs,
    autoencoder: Autoencoder,
    latent_scale: float,
    output: Path,
    schooling: Schooling,
) -> list[Observer]:
    from lite_vton_training.trainers.sample_grid import SampleGrid

    if not schooling.sample_every:
        return []
    shown = pairs.part(slice(0, SAMPLED_PAIRS))
    return [SampleGrid(config, shown, autoencoder, latent_scale, output / "samples", schooling.sample_every)]
