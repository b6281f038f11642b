"""Arguments and options that several verbs share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Autoencoder",
    "Batch",
    "Bf16",
    "BundlePath",
    "Data",
    "GradientCheckpointing",
    "ImageEncoder",
    "Json",
    "LearningRate",
    "Mask",
    "Overwrite",
    "Pose",
    "Preset",
    "Resume",
    "RunFolder",
    "SampleEvery",
    "Sampler",
    "Seed",
    "Shards",
    "SkipBroken",
    "Steps",
    "TrainingSeed",
    "TrainingSteps",
    "help_unless_a_verb_follows",
]


def help_unless_a_verb_follows(context: typer.Context) -> None:
    """Print the help of a group that was named alone, and end well."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder or .zip that `lite-vton export` wrote.")]
Preset = Annotated[str, typer.Argument(metavar="PRESET", help="A model of `lite-vton models`.")]
Data = Annotated[Path, typer.Option("--data", help="Folder of VITON-HD or DressCode, or in their layout.")]
RunFolder = Annotated[Path, typer.Option("--output", "-o", help="Folder of the run: checkpoints, logs and weights.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where the run in the output folder stopped.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the noise: same seed, same picture, any backend.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Sampling steps; default: the model's own.")]
Sampler = Annotated[
    str | None, typer.Option("--sampler", help="ddpm, ddim, euler, dpmsolver++ or lcm; default: the model's own.")
]
Shards = Annotated[
    Path | None,
    typer.Option("--shards", metavar="FOLDER", help="Keep the encoded pairs here, not in memory; runs may share it."),
]
SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave out pairs whose files cannot be used, and name them.")
]
TrainingSteps = Annotated[int, typer.Option("--steps", min=1, help="Training steps of each network.")]
Batch = Annotated[int, typer.Option("--batch-size", min=1, help="Pairs per step.")]
LearningRate = Annotated[float, typer.Option("--learning-rate", min=0.0, help="Peak of the cosine schedule.")]
TrainingSeed = Annotated[int, typer.Option("--seed", min=0, help="Of weights, batches and noise.")]
Bf16 = Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16; weights stay float32.")]
GradientCheckpointing = Annotated[
    bool, typer.Option("--gradient-checkpointing", help="Less memory, more time: compute activations twice.")
]
Mask = Annotated[
    str | None,
    typer.Option("--mask", help="What is repainted: improved, or plain (the old garment alone); default: the model's."),
]
Pose = Annotated[
    bool | None, typer.Option("--pose/--no-pose", help="Whether the U-Net is shown the skeleton; default: the model's.")
]
Autoencoder = Annotated[
    str | None,
    typer.Option(
        "--autoencoder", metavar="kl|tiny|taesd|FILE", help="Its kind, or a trained one; default: the model's."
    ),
]
ImageEncoder = Annotated[
    Path | None,
    typer.Option("--image-encoder", metavar="FOLDER", help="CLIP's image tower, for presets that look through one."),
]
SampleEvery = Annotated[
    int, typer.Option("--sample-every", min=0, help="Steps between pictures in OUTPUT/samples; 0: none.")
]
