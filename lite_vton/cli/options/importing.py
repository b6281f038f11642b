"""What other people's weights are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lite_vton.cli.options.declaring import grouped

__all__ = ["ImageTower", "ImportedAs", "Layout", "OtherAutoencoder", "SelfAttention"]

_option = grouped("Source")

ImportedAs = Annotated[
    str,
    _option("--model", "--preset", metavar="PRESET", names="preset", help="What to import it as: teacher or mp-vton."),
]
Layout = Annotated[
    str | None,
    _option(
        "--layout",
        names="layout",
        help="Its channels: stable-diffusion, inpainting, paint-by-example, stableviton or lite-vton.",
    ),
]
OtherAutoencoder = Annotated[
    Path | None, _option("--autoencoder", metavar="PATH", help="Another autoencoder: a folder, a file, or TAESD.")
]
SelfAttention = Annotated[
    Path | None, _option("--attention", metavar="PATH", help="CatVTON's self-attention, put on top.")
]
ImageTower = Annotated[
    Path | None, _option("--image-encoder", metavar="FOLDER", help="CLIP's image tower, for mp-vton.")
]
