"""`lite-vton distill`: a smaller U-Net from a larger one."""

from __future__ import annotations

from lite_vton.cli.next_steps import export_command
from lite_vton.cli.options.datasets import Data, Shards, SkipBroken
from lite_vton.cli.options.distillation import Distillation, FeatureWeight, Init, SimilarityEvery, Teacher
from lite_vton.cli.options.models import Autoencoder, ImageEncoder, Mask, Pose, Preset
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
from lite_vton.workflows.train.train import Conditions, Lessons, Schooling, distill_model

__all__ = ["distill"]


def distill(
    model: Preset,
    teacher: Teacher,
    data: Data,
    output: RunFolder,
    kind: Distillation = "output",
    start: Init = None,
    feature_weight: FeatureWeight = 0.1,
    similarity_every: SimilarityEvery = 0,
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
    autoencoder: Autoencoder = None,
    shards: Shards = None,
    skip_broken: SkipBroken = False,
    resume: Resume = False,
) -> None:
    """Train a student beside its teacher.

    Keeps the teacher's autoencoder, unless the file of another in its latent space is given.
    Ctrl-C leaves a run that --resume goes on with.
    """
    require("distill")
    watch = Watch()
    claim_filled_folder(output)
    pairs = TrainingData(data, shards, skip_broken)
    schooling = Schooling(
        steps, batch_size, learning_rate, seed, bf16, accumulation, gradient_checkpointing, sample_every
    )
    lessons = Lessons(kind, start, feature_weight, similarity_every)
    conditions = Conditions(mask, pose, image_encoder)
    written = distill_model(
        model, teacher, pairs, output, schooling, lessons, conditions, resume=resume, autoencoder=autoencoder
    )
    if first_process():
        watch.wrote(written, export_command(output))
