"""What is written, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lite_vton.cli.options.declaring import MOST, grouped

__all__ = [
    "BundleOutput",
    "DatasetFolder",
    "DemoFolder",
    "DryRun",
    "ImportFolder",
    "Json",
    "Overwrite",
    "PairsSheet",
    "ReportFolder",
    "Result",
    "Resume",
    "RunFolder",
    "SampleEvery",
    "SavePictures",
    "SaveSteps",
    "ScoresFolder",
    "Sheet",
]

_option = grouped("Output")

Result = Annotated[Path, _option("--output", "-o", help="The result, .png, .jpg or .webp, as large as the photo.")]
Sheet = Annotated[Path, _option("--output", "-o", help="The sheet, .png, .jpg or .webp; the report lies beside it.")]
BundleOutput = Annotated[
    Path | None, _option("--output", "-o", help="The bundle: a folder, or a .zip; default: the one added to.")
]
ReportFolder = Annotated[Path | None, _option("--output", "-o", help="Folder of the report; default: the bundle.")]
ScoresFolder = Annotated[Path | None, _option("--output", "-o", help="Folder for eval.json and eval.md.")]
RunFolder = Annotated[Path, _option("--output", "-o", help="Folder of the run: checkpoints, logs and weights.")]
DatasetFolder = Annotated[Path, _option("--output", "-o", help="Folder to make, in VITON-HD's layout.")]
ImportFolder = Annotated[Path, _option("--output", "-o", help="Folder of the run, or of ONNX the bundle, to write.")]
DemoFolder = Annotated[Path, _option("--output", "-o", help="Folder for everything the demo makes.")]
SaveSteps = Annotated[
    Path | None, _option("--save-steps", help="Folder for every picture on the way: pose, mask, warp, steps.")
]
SavePictures = Annotated[bool, _option("--save-pictures", help="Keep the try-ons as PNG in the output's pictures/.")]
PairsSheet = Annotated[
    bool, _option("--sheet", help="Write the first 24 pairs side by side, side-by-side.jpg in the output.")
]
Json = Annotated[bool, _option("--json", help="Print JSON and nothing else.")]
Overwrite = Annotated[bool, _option("--overwrite", help="Replace what is there already.")]
Resume = Annotated[
    bool, _option("--resume", help="Go on where the run in the output folder stopped; --steps may be more.")
]
DryRun = Annotated[bool, _option("--dry-run", help="Only say what would be written.")]
SampleEvery = Annotated[
    int, _option("--sample-every", min=0, max=MOST, help="Steps between pictures in OUTPUT/samples; 0: none.")
]
