"""Which model: a preset, a run's folder, or a bundle, and what it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.options.declaring import grouped
from lite_vton.workflows.names import completing

__all__ = [
    "AnyModel",
    "Autoencoder",
    "BundlePath",
    "DemoModel",
    "ImageEncoder",
    "JudgedModel",
    "Mask",
    "OnePreset",
    "Parameters",
    "Pose",
    "Preset",
    "Ranges",
    "Start",
]

_option = grouped("Model")
_presets = completing("preset")

BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder or .zip that `lite-vton export` wrote.")]
Preset = Annotated[
    str, typer.Argument(metavar="PRESET", autocompletion=_presets, help="A model of `lite-vton models`.")
]
AnyModel = Annotated[
    str,
    typer.Argument(metavar="MODEL", autocompletion=_presets, help="A preset, a run's folder, or a bundle to add to."),
]
JudgedModel = Annotated[
    str | None,
    typer.Argument(metavar="[MODEL]", autocompletion=_presets, help="Bundle, preset, or run's folder."),
]
Autoencoder = Annotated[
    str | None,
    _option("--autoencoder", metavar="kl|tiny|taesd|FILE", help="Its kind, or a trained one; default: the model's."),
]
DemoModel = Annotated[
    str, _option("--preset", metavar="MODEL", names="preset", help="Another preset, or a run's folder.")
]
ImageEncoder = Annotated[
    Path | None,
    _option("--image-encoder", metavar="FOLDER", help="CLIP's image tower, for presets that look through one."),
]
Mask = Annotated[
    str | None,
    _option(
        "--mask",
        names="mask",
        help="Mask of the repainted region: improved, or plain (the old garment alone); default: the model's.",
    ),
]
OnePreset = Annotated[
    str | None, _option("--preset", metavar="PRESET", names="preset", help="Show only this preset, in full.")
]
Parameters = Annotated[bool, _option("--parameters", help="Count parameters; needs torch, takes some seconds.")]
Pose = Annotated[
    bool | None,
    _option("--pose/--no-pose", help="Condition the U-Net on the skeleton, or do not; default: the model's."),
]
Ranges = Annotated[bool, _option("--ranges", help="Run it, and show the largest values and what float16 would spoil.")]
Start = Annotated[
    str | None,
    _option("--start", metavar="RUN", names="preset", help="Go on from its networks: an import, or an earlier run."),
]
