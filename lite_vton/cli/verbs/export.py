"""`lite-vton export`: weights to a verified bundle."""

from __future__ import annotations

import typer

from lite_vton.cli.next_steps import benchmark_command
from lite_vton.cli.options.exporting import (
    Attention,
    CalibrationData,
    ComputeUnits,
    CoreMLTarget,
    DecoderTile,
    ExportPrecisions,
    Formats,
    FusedToo,
    KeepGoing,
    MinPsnr,
)
from lite_vton.cli.options.models import AnyModel, Autoencoder
from lite_vton.cli.options.output import BundleOutput, DryRun, Overwrite
from lite_vton.cli.options.sampling import Seed, Steps
from lite_vton.cli.outputs import claim_output
from lite_vton.cli.screen import Watch
from lite_vton.messages.choices import words
from lite_vton.workflows.export import export_model, export_options, plan, target_of
from lite_vton.workflows.extras import require
from lite_vton.workflows.weights import NOTES

__all__ = ["export"]


def export(
    model: AnyModel,
    output: BundleOutput = None,
    formats: Formats = "onnx",
    precisions: ExportPrecisions = "fp32,fp16",
    autoencoder: Autoencoder = None,
    decoder_tile: DecoderTile = None,
    fused: FusedToo = False,
    steps: Steps = None,
    seed: Seed = 0,
    min_psnr: MinPsnr = None,
    calibration: CalibrationData = None,
    keep_going: KeepGoing = False,
    coreml_target: CoreMLTarget = None,
    compute_units: ComputeUnits = None,
    attention: Attention = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
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
