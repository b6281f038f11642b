"""`lite-vton run`: dress the person of a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.next_steps import benchmark_command
from lite_vton.cli.options import Backend, BundlePath, Overwrite, Precision, Sampler, Seed, Steps
from lite_vton.cli.outputs import claim_output, claim_picture
from lite_vton.cli.screen import Watch
from lite_vton.workflows.names import completing
from lite_vton.workflows.weights import NOTES

__all__ = ["run"]


def run(
    path: BundlePath,
    person: Annotated[Path, typer.Option("--person", help="Photo of one person, head to thighs.")],
    garment: Annotated[Path, typer.Option("--garment", help="Photo of the garment: flat, hanging or worn.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The result, .png, .jpg or .webp, as large as the photo.")
    ],
    keypoints: Annotated[
        Path | None,
        typer.Option("--keypoints", help="The pose as OpenPose's JSON; default: found in the photo."),
    ] = None,
    pose_model: Annotated[
        Path | None,
        typer.Option("--pose-model", help="DWPose's ONNX file, or the folder of both; default: MediaPipe."),
    ] = None,
    garment_mask: Annotated[
        Path | None, typer.Option("--garment-mask", help="Picture, white = garment; default: found in the photo.")
    ] = None,
    parse: Annotated[
        Path | None,
        typer.Option("--parse", help="Labels of the person's photo, as image-parse-v3: makes the mask exact."),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="Picture as large as the person's photo, white = repaint.")
    ] = None,
    category: Annotated[
        str, typer.Option("--category", autocompletion=completing("category"), help="upper, lower or dress.")
    ] = "upper",
    backend: Backend = "onnxruntime",
    precision: Precision = None,
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider",
            autocompletion=completing("provider"),
            help="ONNX Runtime's: cpu, cuda, tensorrt, coreml, openvino, xnnpack or directml; default: cpu.",
        ),
    ] = None,
    steps: Steps = None,
    sampler: Sampler = None,
    seed: Seed = 0,
    person_index: Annotated[
        int | None,
        typer.Option("--person-index", min=0, max=1000, help="Which person: of the keypoints, or 0 the largest."),
    ] = None,
    detail: Annotated[
        bool, typer.Option("--detail/--no-detail", help="Carry stripes and letters over from the warped garment.")
    ] = True,
    low_memory: Annotated[
        bool, typer.Option("--low-memory", help="One network in memory at a time; the same picture.")
    ] = False,
    fused: Annotated[
        bool, typer.Option("--fused", help="By the graph of a whole try-on (`export --fused`); the same picture.")
    ] = False,
    save_steps: Annotated[
        Path | None, typer.Option("--save-steps", help="Folder for every picture on the way: pose, mask, warp, steps.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Dress the person of a photo.

    Outside the repainted region every pixel stays as it was.
    """
    from lite_vton.workflows.dress.run import How, Photographs, dress

    watch = Watch()
    claim_picture(output)
    if save_steps is not None:
        claim_output(save_steps)
    dressed = dress(
        path,
        Photographs(person, garment, keypoints, pose_model, garment_mask, parse, mask, category, person_index),
        How(backend, precision, provider, steps, sampler, seed, detail, low_memory, fused),
        output,
        save_steps=save_steps,
        overwrite=overwrite,
    )
    print(f"{dressed.width}x{dressed.height}, {dressed.runtime}, sampled in {dressed.sampling_s:.2f} s")
    if dressed.origin in NOTES:
        print(NOTES[dressed.origin])
    watch.wrote(dressed.written, benchmark_command(path))
