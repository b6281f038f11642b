"""`lite-vton export`: weights to a verified bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.next_steps import benchmark_command
from lite_vton.cli.options import Autoencoder, MinPsnr, Overwrite, Seed, Steps
from lite_vton.cli.outputs import claim_output
from lite_vton.cli.screen import Watch
from lite_vton.messages.choices import words
from lite_vton.workflows.export import export_model, export_options, plan, target_of
from lite_vton.workflows.extras import require
from lite_vton.workflows.names import completing
from lite_vton.workflows.weights import NOTES

__all__ = ["export"]


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            autocompletion=completing("preset"),
            help="A preset, a run's folder, or a bundle to add to.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The bundle: a folder, or a .zip; default: the one added to.")
    ] = None,
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            autocompletion=completing("format"),
            help="Comma-separated, or all that this machine can; see `formats`.",
        ),
    ] = "onnx",
    precisions: Annotated[
        str, typer.Option("--precision", autocompletion=completing("precision"), help="Comma-separated, or all.")
    ] = "fp32,fp16",
    autoencoder: Autoencoder = None,
    decoder_tile: Annotated[
        str | None,
        typer.Option(
            "--decoder-tile", metavar="H,W", help="Decode in tiles of so many pixels: less memory, more time."
        ),
    ] = None,
    fused: Annotated[
        bool, typer.Option("--fused", help="Beside each artifact, the whole try-on as one graph.")
    ] = False,
    steps: Steps = None,
    seed: Seed = 0,
    min_psnr: MinPsnr = None,
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", metavar="DATA", help="Dataset to calibrate int8 on; default: drawn people."),
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave out what fails, and still write the rest; exit 1.")
    ] = False,
    coreml_target: Annotated[
        str | None, typer.Option("--coreml-target", help="Oldest system for coreml: ios16, ios17 (default) or ios18.")
    ] = None,
    compute_units: Annotated[
        str | None,
        typer.Option("--compute-units", help="Hint in coreml files: all, cpu-only, cpu-and-gpu or cpu-and-ne."),
    ] = None,
    attention: Annotated[
        str | None,
        typer.Option("--attention", help="In coreml: original, or split-einsum for the Neural Engine."),
    ] = None,
    overwrite: Overwrite = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
) -> None:
    """Export a model to a verified bundle, or more formats into one.

    Every file is checked against torch float32; the bundle stays only if all pass. Exit 1 if one does not.
    """

    require("export")
    asked = (words(formats), words(precisions))
    output = target_of(model, output, overwrite or dry_run)
    if not dry_run:
        claim_output(output)
    planned = plan(model, output, *asked, autoencoder, fused)
    options = export_options(
        asked[0], {"target": coreml_target, "compute_units": compute_units, "attention": attention}
    )
    if dry_run:
        print(planned)
        return
    for line in planned.left_out:
        print(f"left out {line}")
    watch = Watch()
    bundle, report, failures = export_model(
        model,
        output,
        *asked,
        autoencoder=autoencoder,
        decoder_tile=decoder_tile,
        fused=fused,
        steps=steps,
        seed=seed,
        min_psnr=min_psnr,
        calibration=calibration,
        options=options,
        overwrite=overwrite,
        keep_going=keep_going,
    )
    print(report)
    for line in failures:
        print(f"FAILED   {line}; left out")
    if bundle.manifest.source.checkpoint in NOTES:
        print(NOTES[bundle.manifest.source.checkpoint])
    watch.wrote([output], benchmark_command(output))
    if failures:
        raise typer.Exit(1)
