"""Arguments and options that several verbs share, declared once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from lite_vton.workflows.names import completing

__all__ = [
    "LARGEST_SEED",
    "LARGEST_SIDE",
    "MOST",
    "Autoencoder",
    "Backend",
    "Batch",
    "Bf16",
    "BundlePath",
    "Data",
    "GradientCheckpointing",
    "Height",
    "ImageEncoder",
    "Json",
    "LearningRate",
    "Mask",
    "MinPsnr",
    "Overwrite",
    "Pose",
    "Precision",
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
    "Width",
    "Workers",
    "finite",
    "help_unless_a_verb_follows",
]

LARGEST_SEED = 2**63 - 1
"""What all random generators underneath take."""

LARGEST_SIDE = 8192
"""Limit for a side of a picture in pixels; a larger one is a slip, and would fill the memory."""

MOST = 10**9
"""Limit for anything that is counted."""


def finite(value: float | None) -> float | None:
    """The number itself, for typer's `callback`; refuses NaN, which is in every range."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a number to work with")
    return value


def help_unless_a_verb_follows(context: typer.Context) -> None:
    """Print the help of a group that was named alone, and end well."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder or .zip that `lite-vton export` wrote.")]
Preset = Annotated[
    str,
    typer.Argument(metavar="PRESET", autocompletion=completing("preset"), help="A model of `lite-vton models`."),
]
Data = Annotated[Path, typer.Option("--data", help="Folder of VITON-HD or DressCode, or in their layout.")]
RunFolder = Annotated[Path, typer.Option("--output", "-o", help="Folder of the run: checkpoints, logs and weights.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where the run in the output folder stopped; --steps may be more.")
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        max=LARGEST_SEED,
        help="Random seed of the sampling noise: same seed, same picture, any backend.",
    ),
]
Steps = Annotated[int | None, typer.Option("--steps", help="Sampling steps; default: the model's own.")]
Sampler = Annotated[
    str | None,
    typer.Option(
        "--sampler",
        autocompletion=completing("sampler"),
        help="ddpm, ddim, euler, dpmsolver++ or lcm; default: the model's own.",
    ),
]
Shards = Annotated[
    Path | None,
    typer.Option("--shards", metavar="FOLDER", help="Keep the encoded pairs here, not in memory; runs may share it."),
]
SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave out pairs whose files cannot be used, and name them.")
]
TrainingSteps = Annotated[int, typer.Option("--steps", min=1, max=MOST, help="Training steps of each network.")]
Batch = Annotated[int, typer.Option("--batch-size", min=1, max=100_000, help="Pairs per step.")]
LearningRate = Annotated[
    float, typer.Option("--learning-rate", min=0.0, max=1000.0, callback=finite, help="Peak of the cosine schedule.")
]
TrainingSeed = Annotated[
    int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Random seed of weights, batches and noise.")
]
MinPsnr = Annotated[
    float | None,
    typer.Option("--min-psnr", min=0.0, max=1000.0, callback=finite, help="dB each component must reach."),
]
Workers = Annotated[int, typer.Option("--workers", min=1, max=1024, help="Processes that share the work.")]
Height = Annotated[int, typer.Option("--height", min=1, max=LARGEST_SIDE, help="Height of the pictures in pixels.")]
Width = Annotated[int, typer.Option("--width", min=1, max=LARGEST_SIDE, help="Width of the pictures in pixels.")]
Backend = Annotated[
    str, typer.Option("--backend", autocompletion=completing("backend"), help="See `lite-vton formats`.")
]
Precision = Annotated[
    str | None,
    typer.Option("--precision", autocompletion=completing("precision"), help="Default: the first the bundle has."),
]
Bf16 = Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16; weights stay float32.")]
GradientCheckpointing = Annotated[
    bool, typer.Option("--gradient-checkpointing", help="Less memory, more time: compute activations twice.")
]
Mask = Annotated[
    str | None,
    typer.Option(
        "--mask",
        autocompletion=completing("mask"),
        help="What is repainted: improved, or plain (the old garment alone); default: the model's.",
    ),
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
    int, typer.Option("--sample-every", min=0, max=MOST, help="Steps between pictures in OUTPUT/samples; 0: none.")
]
