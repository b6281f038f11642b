"""Photos of people and garments, and what is known of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lite_vton.cli.options.declaring import grouped

__all__ = [
    "Category",
    "Garment",
    "GarmentMask",
    "Garments",
    "Keypoints",
    "Parse",
    "Person",
    "PersonIndex",
    "PersonMask",
    "Persons",
    "PoseModel",
    "SheetCategory",
]

_option = grouped("Photos")

Person = Annotated[Path, _option("--person", help="Photo of one person, head to thighs.")]
Garment = Annotated[Path, _option("--garment", help="Photo of the garment: flat, hanging or worn.")]
Persons = Annotated[Path, _option("--persons", help="Folder of photos of people.")]
Garments = Annotated[Path, _option("--garments", help="Folder of photos of garments.")]
Keypoints = Annotated[
    Path | None, _option("--keypoints", help="The pose as OpenPose's JSON; default: found in the photo.")
]
PoseModel = Annotated[
    Path | None, _option("--pose-model", help="DWPose's ONNX file, or the folder of both; default: MediaPipe.")
]
GarmentMask = Annotated[
    Path | None, _option("--garment-mask", help="Mask of the garment, white = garment; default: found in the photo.")
]
Parse = Annotated[
    Path | None, _option("--parse", help="Labels of the person's photo, as image-parse-v3: makes the mask exact.")
]
PersonMask = Annotated[
    Path | None, _option("--mask", help="Mask as large as the person's photo, white = repaint; default: found.")
]
Category = Annotated[
    str, _option("--category", names="category", help="Category of the garment: upper, lower or dress.")
]
SheetCategory = Annotated[
    str,
    _option(
        "--category",
        names="category",
        help="Category of all garments; default: dress where a file is named so, else upper.",
    ),
]
PersonIndex = Annotated[
    int | None, _option("--person-index", min=0, max=1000, help="Which person: of the keypoints, or 0 the largest.")
]
