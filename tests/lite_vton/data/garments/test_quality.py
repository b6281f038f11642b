"""Which cut-outs are dropped, and for what."""

from __future__ import annotations

from dataclasses import fields
from math import isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.garments.classes import CLASSES, OTHER
from lite_vton.data.garments.quality import COMMON, Measures, find_fault, measure
from lite_vton.garment.cutout import Cutout

PHOTO = (400, 320)


def shirt(sleeve: int = 20) -> np.ndarray:
    """A body of 120x220 with sleeves so long, True inside, in a picture (300, 280)."""
    inside = np.zeros((300, 280), bool)
    inside[40:260, 80:200] = True
    for row in range(40, 95):
        reach = sleeve + (row - 40) // 4
        inside[row, 80 - reach : 200 + reach] = True
    return inside


def cut(inside: np.ndarray, background: tuple[int, int, int] = (220, 215, 205)) -> Cutout:
    pixels = np.full((*inside.shape, 3), background, np.uint8)
    pixels[inside] = (30, 60, 160)
    return Cutout(pixels, inside.astype(np.float32))


def fault_of(cutout: Cutout, kind: str = "t-shirt", photo: tuple[int, int] = PHOTO) -> str | None:
    found = find_fault(measure(cutout, photo), CLASSES[kind])
    return None if found is None else found.reason


def test_a_shirt_passes_in_every_size() -> None:
    assert fault_of(cut(shirt())) is None
    large = np.kron(shirt(), np.ones((3, 3), bool))
    assert fault_of(cut(large), photo=(1200, 960)) is None


def test_one_cut_off_by_the_frame_is_dropped() -> None:
    assert fault_of(cut(shirt()[:240])) == "cut off by the photo's frame"
    assert fault_of(cut(shirt()[:, :180])) == "cut off by the photo's frame"


def test_one_that_fills_the_photo_or_hardly_any_of_it_is_dropped() -> None:
    filled, either = cut(np.pad(np.ones((330, 300), bool), 5)), "covers hardly anything or nearly all of its photo"
    assert fault_of(filled, photo=(340, 310)) == either
    assert fault_of(cut(shirt()), photo=(1600, 1200)) == either
    assert fault_of(cut(shirt()[::3, ::3])) == "too small in its photo"


def test_a_lopsided_one_is_dropped() -> None:
    inside = np.stack([np.roll(row, (k - 150) // 2) for k, row in enumerate(shirt())])
    assert fault_of(cut(inside)) == "lopsided"


def test_a_ragged_one_is_dropped() -> None:
    inside = shirt()
    rng = np.random.default_rng(0)
    for column in range(80, 200, 4):
        inside[260 : 260 + int(rng.integers(5, 35)), column : column + 2] = True
    assert fault_of(cut(inside)) == "ragged outline"


def test_one_that_does_not_stand_out_from_its_background_is_dropped() -> None:
    assert fault_of(cut(shirt(), (33, 63, 165))) == "outline where colours hardly change"


def test_one_that_lacks_its_sleeves_of_the_same_colour_is_dropped() -> None:
    whole, body = cut(shirt(60)), shirt()
    body[:, :80] = body[:, 200:] = False
    assert fault_of(Cutout(whole.pixels, body.astype(np.float32)), "dress") == "more of its colours beside it"


def test_one_with_some_of_the_background_in_it_is_dropped() -> None:
    cutout = cut(shirt())
    patch = np.zeros((*cutout.mask.shape, 1), bool)
    patch[100:190, 120:140] = True
    printed, spoilt = (np.where(patch, colour, cutout.pixels) for colour in (np.uint8(90), cutout.pixels[0, 0]))
    assert fault_of(Cutout(printed, cutout.mask)) is None
    assert fault_of(Cutout(spoilt, cutout.mask)) == "some of the background in it"


def test_what_a_class_has_is_looked_for() -> None:
    assert fault_of(cut(shirt()), "longsleeve") == "sleeves not as its class has them"
    long = cut(np.repeat(shirt(), 2, axis=0))
    assert fault_of(long, "t-shirt", (800, 320)) == "hem where its category has none"
    assert fault_of(long, "dress", (800, 320)) is None
    assert find_fault(measure(cut(shirt()), PHOTO), OTHER) is None


@pytest.mark.parametrize("bound", COMMON, ids=lambda bound: bound.measure)
def test_every_bound_is_one_of_a_measure_and_holds_on_both_sides(bound: object) -> None:
    good = measure(cut(shirt()), PHOTO)
    values = {field.name: getattr(good, field.name) for field in fields(Measures)}
    name, low, high = (getattr(bound, key) for key in ("measure", "low", "high"))
    assert low <= values[name] <= high
    for bad in (low - 0.01, high + 0.01, float("nan")):
        if bad < float("inf"):
            found = find_fault(Measures(**values | {name: bad}), CLASSES["t-shirt"])
            assert found is not None
            assert found.reason == bound.reason  # type: ignore[attr-defined]
            assert name in found.detail


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32 - 1), st.floats(0.01, 1))
def test_any_mask_has_finite_measures(height: int, width: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((height, width)) < share).astype(np.float32)
    mask[rng.integers(height), rng.integers(width)] = 1
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    measures = measure(Cutout(pixels, mask), (100, 100))
    assert all(isfinite(getattr(measures, field.name)) for field in fields(Measures))
