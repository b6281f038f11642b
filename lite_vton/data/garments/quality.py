"""Whether a cut-out can be trusted: what is measured of it, and between which bounds that must lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.garments.classes import HEMS, GarmentClass
from lite_vton.garment.cut import read_cut
from lite_vton.garment.cutout import Cutout
from lite_vton.garment.region import likeness, mistaken_colours
from lite_vton.garment.silhouette import symmetry_axis

__all__ = ["COMMON", "Bound", "Fault", "Measures", "find_fault", "measure"]

_THREAD = 0.015  # of the square root of the area: narrower bits and gaps fray an outline


@dataclass(frozen=True)
class Measures:
    """What tells a bad cut-out, all in shares unless said otherwise.

    `covered` of the photo by the garment; `framed` of one side of the garment's box that the photo's frame cuts;
    `size` pixels along its longer side; `symmetry` overlap with its mirror image; `likeness` as `garment_region` tells
    it; `left_out` area beside it in colours that it has nearly to itself, `taken_in` of its largest piece in colours of
    the background, `frayed` of what is too narrow to be cloth, or to be a gap, each in shares of its own area; `hem` in
    torso lengths; `sleeves` of the arm, the mean of both, 0 where there are none; `unlike` difference of left and right
    in that.
    """

    covered: float
    framed: float
    size: float
    symmetry: float
    likeness: float
    left_out: float
    taken_in: float
    frayed: float
    hem: float
    sleeves: float
    unlike: float


@dataclass(frozen=True)
class Bound:
    """`low` <= the measure of that name <= `high`, else the garment is dropped for `reason`."""

    measure: str
    low: float
    high: float
    reason: str


@dataclass(frozen=True)
class Fault:
    """Why a garment is dropped: `reason` one of a few, to count; `detail` what it is in this photo."""

    reason: str
    detail: str


COMMON = (
    Bound("size", 128, float("inf"), "too small in its photo"),
    Bound("covered", 0.04, 0.85, "covers hardly anything or nearly all of its photo"),
    Bound("framed", 0.0, 0.25, "cut off by the photo's frame"),
    Bound("frayed", 0.0, 0.015, "ragged outline"),
    Bound("symmetry", 0.68, 1.0, "lopsided"),
    Bound("likeness", 0.75, 1.0, "outline where colours hardly change"),
    Bound("left_out", 0.0, 0.1, "more of its colours beside it"),
    Bound("taken_in", 0.0, 0.025, "some of the background in it"),
    Bound("unlike", 0.0, 0.25, "sleeves unlike each other"),
)
"""Chosen by looking at cut-outs of photographed garments, so that hardly one of those kept is wrong."""


def measure(cutout: Cutout, photo: tuple[int, int]) -> Measures:
    """Of a garment cut out of a photo of that height and width."""
    inside = cutout.mask > 0.5
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    cut = read_cut(cutout.mask)
    lacking, too_much = mistaken_colours(cutout.pixels, cutout.mask)
    shares = [0.0 if sleeve is None else sleeve.share for sleeve in cut.sleeves]
    return Measures(
        covered=float(inside.sum()) / (photo[0] * photo[1]),
        framed=max(
            *(float(side.sum()) / len(columns) for side in (inside[0], inside[-1])),
            *(float(side.sum()) / len(rows) for side in (inside[:, 0], inside[:, -1])),
        ),
        size=float(max(len(rows), len(columns))),
        symmetry=_symmetry(inside, int(rows[0]), len(rows)),
        likeness=likeness(cutout.pixels, cutout.mask),
        left_out=lacking,
        taken_in=too_much,
        frayed=_frayed(inside),
        hem=cut.hem,
        sleeves=sum(shares) / 2,
        unlike=abs(shares[0] - shares[1]),
    )


def find_fault(measures: Measures, kind: GarmentClass) -> Fault | None:
    """The first bound that is broken, None where a garment of that class may be like this."""
    for bound in (*COMMON, *_of_class(kind)):
        value = float(getattr(measures, bound.measure))
        # Written so that NaN breaks it.
        if not bound.low <= value <= bound.high:
            return Fault(bound.reason, f"{bound.measure} {value:.3g}, should be {bound.low:g} to {bound.high:g}")
    return None


def _of_class(kind: GarmentClass) -> Iterator[Bound]:
    yield Bound("hem", *HEMS[kind.category], "hem where its category has none")
    yield Bound("sleeves", *kind.sleeves, "sleeves not as its class has them")


def _symmetry(inside: NDArray[np.bool_], top: int, height: int) -> float:
    twins = np.rint(2 * symmetry_axis(inside, top, height) - np.arange(inside.shape[1])).astype(int)
    known = (twins >= 0) & (twins < inside.shape[1])
    mirrored = np.zeros_like(inside)
    mirrored[:, known] = inside[:, twins[known]]
    return float((inside & mirrored).sum() / (inside | mirrored).sum())


def _frayed(inside: NDArray[np.bool_]) -> float:
    import cv2

    area = int(inside.sum())
    reach = max(1, round(_THREAD * float(np.sqrt(area))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    # With a rim, so that the frame neither ends nor closes anything.
    image = np.pad(inside.astype(np.uint8), 2 * reach + 1)
    opened, closed = (int(cv2.morphologyEx(image, kind, disc).sum()) for kind in (cv2.MORPH_OPEN, cv2.MORPH_CLOSE))
    return (closed - opened) / area
