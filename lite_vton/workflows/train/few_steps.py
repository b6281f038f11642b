"""A trained model taught to sample in few steps: from its run and a dataset to a run of its own."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of
from lite_vton.presets.table import preset
from lite_vton.workflows.names import WAYS
from lite_vton.workflows.train.pairs import (
    TrainingData,
    encoded,
    encoded_on_disk,
    open_training_pairs,
    read,
    refuse_no_folder,
    said_of_pairs,
)
from lite_vton.workflows.train.processes import if_first
from lite_vton.workflows.train.run_folder import refuse_folder, resumable, save_run, step_bar
from lite_vton.workflows.train.train import Schooling
from lite_vton.workflows.weights import config_of, load_model

__all__ = ["Jumps", "distill_steps"]


@dataclass(frozen=True)
class Jumps:
    """What is taught: `counts` of steps, most first, and a row of `WAYS`; `truth` as in `FewStepConfig`."""

    counts: tuple[int, ...]
    way: str = "trajectory"
    truth: float = 0.0

    @classmethod
    def parse(cls, counts: str, way: str, truth: float = 0.0) -> Jumps:
        """From words such as "4,2,1"; `UserError` for what is no count of steps or no way."""
        try:
            numbers = tuple(sorted({int(count) for count in counts.split(",")}, reverse=True))
        except ValueError:
            numbers = ()
        if not numbers or numbers[-1] < 1:
            raise UserError(f"no numbers of steps in {counts!r}: write them with commas, such as 4,2,1")
        return cls(numbers, one_of("way to few steps", way, WAYS), truth)


def distill_steps(
    model: str,
    teacher: str,
    data: TrainingData,
    output: Path,
    schooling: Schooling,
    jumps: Jumps,
    *,
    resume: bool = False,
    tell: Callable[[str], None] = print,
) -> tuple[Path, ...]:
    """A copy of `teacher` that needs but `jumps.counts` steps; returns the files of its weights.

    Its default number of steps is the largest of them. Raises `StoppedError` when interrupted, `UserError` for a
    teacher that is not of the preset `model`: width is distilled before steps, one change at a time.
    """
    preset(model)
    config_of(teacher)
    refuse_folder(output, resume)
    refuse_no_folder(data)
    from diffusers import UNet2DConditionModel

    from lite_vton.model.denoiser import Denoiser
    from lite_vton_training.trainers.few_steps import FewStepConfig, train_few_steps, train_progressively

    taught = load_model(teacher).networks
    config = taught.config
    if config.name != model:
        raise UserError(
            f"{teacher} is a {config.name}, not a {model}: distil a {model} first, and then its steps from that"
        )
    assert isinstance(taught.unet, UNet2DConditionModel)
    student = deepcopy(taught.unet)
    tower, autoencoder = taught.image_encoder, (taught.autoencoder, taught.latent_scale)
    with resumable(output):
        samples = open_training_pairs(data, config, if_first(tell))
        if data.shards is None:
            pairs = encoded(read(samples, garments=tower is not None), *autoencoder, tower)
        else:
            pairs = encoded_on_disk(samples, data.shards, *autoencoder, tower)
        loop, folder = schooling.loop(), output / "unet"
        about = said_of_pairs(samples, *autoencoder, tower)
        with step_bar("fewer steps", schooling.steps) as on_step:
            if jumps.way == "progressive":
                train_progressively(
                    config,
                    pairs,
                    student,
                    loop,
                    folder,
                    jumps.counts,
                    resume=resume,
                    on_step=on_step,
                    about=about,
                )
            else:
                lesson = FewStepConfig(counts=jumps.counts, method=jumps.way, truth=jumps.truth)
                train_few_steps(
                    config,
                    pairs,
                    student,
                    Denoiser(config, taught.unet),
                    loop,
                    folder,
                    lesson,
                    resume=resume,
                    on_step=on_step,
                    about=about,
                )
        steps = jumps.counts[-1] if jumps.way == "progressive" else jumps.counts[0]
        return save_run(replace(taught, config=replace(config, default_steps=steps), unet=student), output)
