"""What is scored, and by which networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lite_vton.cli.options.declaring import LARGEST_SIDE, grouped

__all__ = ["InceptionWeights", "LpipsWeights", "Results", "ResultsHeight", "ResultsWidth", "Unpaired"]

_option = grouped("Scores")

Results = Annotated[Path | None, _option("--results", help="Instead of a model: a folder of try-ons made by anybody.")]
Unpaired = Annotated[bool, _option("--unpaired", help="Everybody in another one's garment: FID and KID alone.")]
LpipsWeights = Annotated[Path | None, _option("--lpips-weights", help="torchvision's AlexNet; default: torch's cache.")]
InceptionWeights = Annotated[
    Path | None, _option("--inception-weights", help="FID's Inception; default: torch's cache.")
]
ResultsHeight = Annotated[
    int | None, _option("--height", min=16, max=LARGEST_SIDE, help="Height in pixels of the pictures in --results.")
]
ResultsWidth = Annotated[
    int | None, _option("--width", min=16, max=LARGEST_SIDE, help="Width in pixels of the pictures in --results.")
]
