"""`lite-vton distill`: a smaller U-Net from a larger one."""

from __future__ import annotations

from typing import Annotated

import typer

from lite_vton.cli.options import Batch, Data, LearningRate, Preset, Resume, RunFolder, TrainingSteps

__all__ = ["distill"]


def distill(
    model: Preset,
    teacher: Annotated[str, typer.Option("--teacher", metavar="MODEL", help="A preset with weights, or a run.")],
    data: Data,
    output: RunFolder,
    kind: Annotated[str, typer.Option("--distill", help="What the student copies: output, or none.")] = "output",
    steps: TrainingSteps = 200,
    batch_size: Batch = 4,
    learning_rate: LearningRate = 8e-4,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of weights, batches and noise.")] = 0,
    resume: Resume = False,
) -> None:
    """Train a student beside a teacher.

    Keeps the teacher's autoencoder. Ctrl-C leaves a run that --resume goes on with.
    """
    from lite_vton.cli.screen import Watch
    from lite_vton.cli.training_run import Schooling, distill_model

    watch = Watch()
    schooling = Schooling(steps, batch_size, learning_rate, seed)
    written = distill_model(model, teacher, data, output, schooling, kind=kind, resume=resume)
    watch.wrote(written, f"lite-vton export {output} -o {output.name}.bundle")
