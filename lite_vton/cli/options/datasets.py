"""Pairs of people and garments: read, drawn or converted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lite_vton.cli.options.declaring import LARGEST_SEED, LARGEST_SIDE, MOST, finite, grouped

__all__ = [
    "Data",
    "DemoPairs",
    "DrawingSeed",
    "DrawnPairs",
    "DressCodeCategory",
    "Height",
    "JudgedPairs",
    "LeaveOut",
    "Shards",
    "SkipBroken",
    "TestData",
    "TestEvery",
    "TestOffset",
    "TestShare",
    "Width",
    "Workers",
    "Worn",
]

_option = grouped("Data")

Data = Annotated[Path, _option("--data", help="Folder of VITON-HD or DressCode, or in their layout.")]
TestData = Annotated[
    Path | None,
    _option("--data", help="Folder in VITON-HD's or DressCode's layout; default: newly drawn held-out pairs."),
]
DressCodeCategory = Annotated[str | None, _option("--category", help="DressCode's upper_body or dresses.")]
JudgedPairs = Annotated[
    int | None, _option("--pairs", min=1, max=MOST, help="How many pairs to judge; default: 64, or all results.")
]
DemoPairs = Annotated[int, _option("--pairs", min=1, max=1000, help="Rows of the contact sheet.")]
DrawnPairs = Annotated[int, _option("--pairs", min=1, max=10**7, help="How many people and garments.")]
DrawingSeed = Annotated[
    int, _option("--seed", min=0, max=LARGEST_SEED, help="Random seed of the drawings: same seed, same drawings.")
]
Shards = Annotated[
    Path | None,
    _option("--shards", metavar="FOLDER", help="Keep the encoded pairs here, not in memory; runs may share it."),
]
SkipBroken = Annotated[
    bool, _option("--skip-broken", help="Leave out pairs whose files cannot be used, and name them.")
]
Height = Annotated[int, _option("--height", min=1, max=LARGEST_SIDE, help="Height of the pictures in pixels.")]
Width = Annotated[int, _option("--width", min=1, max=LARGEST_SIDE, help="Width of the pictures in pixels.")]
TestShare = Annotated[
    float, _option("--test-share", min=0.0, max=1.0, callback=finite, help="The part that becomes the test split.")
]
TestEvery = Annotated[int, _option("--test-every", min=2, max=MOST, help="One photo in so many is for testing ...")]
TestOffset = Annotated[
    int, _option("--test-offset", min=0, max=MOST, help="... those whose number leaves this when divided by that.")
]
LeaveOut = Annotated[
    list[str] | None,
    _option("--leave-out", metavar="NUMBER|FOLDER", help="Photos to use for nothing; may be repeated."),
]
Worn = Annotated[bool, _option("--worn", help="Lay garments flat that somebody wears, instead of dropping them.")]
Workers = Annotated[int, _option("--workers", min=1, max=1024, help="Processes that share the work.")]
