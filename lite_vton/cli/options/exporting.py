"""Which files an export writes, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lite_vton.cli.options.declaring import finite, grouped

__all__ = [
    "Artifacts",
    "Attention",
    "CalibrationData",
    "ComputeUnits",
    "CoreMLTarget",
    "DecoderTile",
    "ExportPrecisions",
    "Formats",
    "FusedToo",
    "KeepGoing",
    "MinPsnr",
]

_option = grouped("Artifacts")

Formats = Annotated[
    str, _option("--format", names="format", help="Comma-separated, or all that this machine can; see `formats`.")
]
ExportPrecisions = Annotated[str, _option("--precision", names="precision", help="Comma-separated, or all.")]
DecoderTile = Annotated[
    str | None,
    _option("--decoder-tile", metavar="H,W", help="Decode in tiles of so many pixels: less memory, more time."),
]
FusedToo = Annotated[bool, _option("--fused", help="Beside each artifact, the whole try-on as one graph.")]
MinPsnr = Annotated[
    float | None, _option("--min-psnr", min=0.0, max=1000.0, callback=finite, help="dB each component must reach.")
]
CalibrationData = Annotated[
    Path | None, _option("--calibration", metavar="DATA", help="Dataset to calibrate int8 on; default: drawn people.")
]
KeepGoing = Annotated[bool, _option("--keep-going", help="Leave out what fails, and still write the rest; exit 1.")]
CoreMLTarget = Annotated[
    str | None, _option("--coreml-target", help="Oldest system for coreml: ios16, ios17 (default) or ios18.")
]
ComputeUnits = Annotated[
    str | None, _option("--compute-units", help="Hint in coreml files: all, cpu-only, cpu-and-gpu or cpu-and-ne.")
]
Attention = Annotated[
    str | None, _option("--attention", help="In coreml: original, or split-einsum for the Neural Engine.")
]
Artifacts = Annotated[str | None, _option("--artifact", help="Only these, comma-separated, such as onnx-fp16.")]
