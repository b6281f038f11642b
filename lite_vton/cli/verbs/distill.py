"""`lite-vton distill`: a smaller U-Net from a larger one."""

from __future__ import annotations

from typing import Annotated

import typer

from lite_vton.cli.next_steps import export_command
from lite_vton.cli.options import (
    MOST,
    Autoencoder,
    Batch,
    Bf16,
    Data,
    GradientCheckpointing,
    ImageEncoder,
    LearningRate,
    Mask,
    Pose,
    Preset,
    Resume,
    RunFolder,
    SampleEvery,
    Shards,
    SkipBroken,
    TrainingSeed,
    TrainingSteps,
    finite,
)
from lite_vton.cli.outputs import claim_filled_folder
from lite_vton.cli.screen import Watch
from lite_vton.workflows.extras import require
from lite_vton.workflows.names import completing
from lite_vton.workflows.train.few_steps import Jumps, distill_steps, refuse_switches
from lite_vton.workflows.train.pairs import TrainingData
from lite_vton.workflows.train.processes import first_process
from lite_vton.workflows.train.train import Conditions, Lessons, Schooling, distill_model

__all__ = ["distill"]


def distill(
    model: Preset,
    teacher: Annotated[
        str,
        typer.Option(
            "--teacher", metavar="MODEL", autocompletion=completing("preset"), help="A preset with weights, or a run."
        ),
    ],
    data: Data,
    output: RunFolder,
    kind: Annotated[
        str,
        typer.Option(
            "--distill",
            autocompletion=completing("distillation"),
            help="What the student copies: none, output, or output and feature, factor, relation, caad[-local|-sharp].",
        ),
    ] = "output",
    start: Annotated[
        str | None,
        typer.Option(
            "--init",
            autocompletion=completing("start"),
            help="First weights: slim (the teacher's, cut down; default where it fits) or random.",
        ),
    ] = None,
    feature_weight: Annotated[
        float,
        typer.Option(
            "--feature-weight", min=0.0, max=1e9, callback=finite, help="Weight of the term that compares features."
        ),
    ] = 0.1,
    similarity_every: Annotated[
        int,
        typer.Option("--similarity-every", min=0, max=MOST, help="Steps between rows of the log with CKA; 0: none."),
    ] = 0,
    few_steps: Annotated[
        str | None,
        typer.Option("--few-steps", metavar="COUNTS", help="Teach a model of this preset to sample so: 4,2,1."),
    ] = None,
    few_steps_by: Annotated[
        str,
        typer.Option(
            "--few-steps-by",
            autocompletion=completing("way to few steps"),
            help="How: trajectory, consistency, truth, or progressive.",
        ),
    ] = "trajectory",
    truth_weight: Annotated[
        float,
        typer.Option(
            "--truth-weight",
            min=0.0,
            max=1e9,
            callback=finite,
            help="With --few-steps: of the loss against the picture.",
        ),
    ] = 0.0,
    steps: TrainingSteps = 200,
    batch_size: Batch = 4,
    learning_rate: LearningRate = 8e-4,
    seed: TrainingSeed = 0,
    bf16: Bf16 = False,
    accumulation: Annotated[
        int, typer.Option("--accumulation", min=1, max=100_000, help="Parts a batch is computed in.")
    ] = 1,
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
    """Train a student beside a teacher, or teach a student to sample in fewer steps.

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
    if few_steps is not None:
        switches = {
            "--mask": mask,
            "--pose": pose,
            "--image-encoder": image_encoder,
            "--autoencoder": autoencoder,
            "--init": start,
        }
        refuse_switches([name for name, given in switches.items() if given is not None])
        jumps = Jumps.parse(few_steps, few_steps_by, truth_weight)
        written = distill_steps(model, teacher, pairs, output, schooling, jumps, resume=resume)
        if first_process():
            watch.wrote(written, export_command(output))
        return
    lessons = Lessons(kind, start, feature_weight, similarity_every)
    conditions = Conditions(mask, pose, image_encoder)
    written = distill_model(
        model, teacher, pairs, output, schooling, lessons, conditions, resume=resume, autoencoder=autoencoder
    )
    if first_process():
        watch.wrote(written, export_command(output))
