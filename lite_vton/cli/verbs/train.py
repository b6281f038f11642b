"""`lite-vton train`: an autoencoder and a U-Net from pictures."""

from __future__ import annotations

from lite_vton.cli.next_steps import export_command
from lite_vton.cli.options.datasets import Data, Shards, SkipBroken
from lite_vton.cli.options.models import Autoencoder, ImageEncoder, Mask, Pose, Preset, Start
from lite_vton.cli.options.output import Resume, RunFolder, SampleEvery
from lite_vton.cli.options.training import (
    Accumulation,
    Batch,
    Bf16,
    GradientCheckpointing,
    LearningRate,
    TrainingSeed,
    TrainingSteps,
)
from lite_vton.cli.outputs import claim_filled_folder
from lite_vton.cli.screen import Watch
from lite_vton.workflows.extras import require
from lite_vton.workflows.train.pairs import TrainingData
from lite_vton.workflows.train.processes import first_process
from lite_vton.workflows.train.train import Conditions, Schooling, train_model

__all__ = ["train"]


def train(
    model: Preset,
    data: Data,
    output: RunFolder,
    steps: TrainingSteps = 200,
    batch_size: Batch = 4,
    learning_rate: LearningRate = 8e-4,
    seed: TrainingSeed = 0,
    bf16: Bf16 = False,
    accumulation: Accumulation = 1,
    gradient_checkpointing: GradientCheckpointing = False,
    sample_every: SampleEvery = 0,
    mask: Mask = None,
    pose: Pose = None,
    image_encoder: ImageEncoder = None,
    shards: Shards = None,
    skip_broken: SkipBroken = False,
    resume: Resume = False,
    autoencoder: Autoencoder = None,
    start: Start = None,
) -> None:
    """Train a model: autoencoder, unless the file of one is given, then U-Net.

    Ctrl-C leaves a run that --resume goes on with.
    """
    require("train")
    watch = Watch()
    claim_filled_folder(output)
    pairs = TrainingData(data, shards, skip_broken)
    schooling = Schooling(
        steps, batch_size, learning_rate, seed, bf16, accumulation, gradient_checkpointing, sample_every
    )
    conditions = Conditions(mask, pose, image_encoder)
    written = train_model(
        model, pairs, output, schooling, conditions, resume=resume, autoencoder=autoencoder, start=start
    )
    if first_process():
        watch.wrote(written, export_command(output))
