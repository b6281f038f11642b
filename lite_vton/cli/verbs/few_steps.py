"""`lite-vton few-steps`: a trained model made to sample in fewer steps."""

from __future__ import annotations

from lite_vton.cli.next_steps import export_command
from lite_vton.cli.options.datasets import Data, Shards, SkipBroken
from lite_vton.cli.options.distillation import Counts, Method, Teacher, TruthWeight
from lite_vton.cli.options.models import Preset
from lite_vton.cli.options.output import Resume, RunFolder
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
from lite_vton.workflows.train.few_steps import Jumps, distill_steps
from lite_vton.workflows.train.pairs import TrainingData
from lite_vton.workflows.train.processes import first_process
from lite_vton.workflows.train.train import Schooling

__all__ = ["few_steps"]


def few_steps(
    model: Preset,
    teacher: Teacher,
    data: Data,
    output: RunFolder,
    counts: Counts = "4,2,1",
    method: Method = "trajectory",
    truth_weight: TruthWeight = 0.0,
    steps: TrainingSteps = 200,
    batch_size: Batch = 4,
    learning_rate: LearningRate = 8e-4,
    seed: TrainingSeed = 0,
    bf16: Bf16 = False,
    accumulation: Accumulation = 1,
    gradient_checkpointing: GradientCheckpointing = False,
    shards: Shards = None,
    skip_broken: SkipBroken = False,
    resume: Resume = False,
) -> None:
    """Train a copy of a model that samples in fewer steps.

    The teacher is a trained model of the same preset. Ctrl-C leaves a run that --resume goes on with.
    """
    require("few-steps")
    watch = Watch()
    claim_filled_folder(output)
    schooling = Schooling(steps, batch_size, learning_rate, seed, bf16, accumulation, gradient_checkpointing)
    jumps = Jumps.parse(counts, method, truth_weight)
    pairs = TrainingData(data, shards, skip_broken)
    written = distill_steps(model, teacher, pairs, output, schooling, jumps, resume=resume)
    if first_process():
        watch.wrote(written, export_command(output))
