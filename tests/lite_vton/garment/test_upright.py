"""Garments askew, and garments cut by the frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.pair import draw_pair
from lite_vton.errors import UserError
from lite_vton.garment.cutout import cut_out
from lite_vton.garment.silhouette import symmetry_axis
from lite_vton.garment.upright import completed, upright
from lite_vton.photo.files import Photo


def flat(index: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A drawn garment with a margin, and its mask."""
    pair = draw_pair(11, index, 256, 192)
    pixels = np.pad(pair.cloth, ((60, 60), (60, 60), (0, 0)), mode="edge")
    return pixels, np.pad((pair.cloth_mask > 0).astype(np.float32), 60)


def turned(mask: np.ndarray, degrees: float) -> np.ndarray:
    import cv2

    matrix = cv2.getRotationMatrix2D((mask.shape[1] / 2, mask.shape[0] / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(mask, matrix, mask.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))


def overlap(one: np.ndarray, two: np.ndarray) -> float:
    """Of both, each in its own box."""
    parts = []
    for mask in (one > 0.5, two > 0.5):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        parts.append(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    height, width = (min(part.shape[axis] for part in parts) for axis in (0, 1))
    a, b = (part[:height, :width] for part in parts)
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("degrees", [-18, -10, 10, 18])
def test_a_garment_askew_is_set_upright(degrees: float) -> None:
    pixels, mask = flat()
    found = upright(turned(pixels, degrees), turned(mask, degrees))
    assert found[0].shape[:2] == found[1].shape
    assert overlap(found[1], mask) > 0.88 > overlap(turned(mask, degrees), mask)


@pytest.mark.parametrize("degrees", [0, 2, -3])
def test_an_upright_garment_is_left_alone(degrees: float) -> None:
    pixels, mask = flat()
    mask = turned(mask, degrees)
    assert upright(pixels, mask)[1] is mask


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_side_cut_by_the_frame_is_completed_by_the_other(side: str) -> None:
    pixels, mask = flat()
    rows = np.flatnonzero((mask > 0.5).any(axis=1))
    axis = round(symmetry_axis(mask > 0.5, int(rows[0]), len(rows)))
    keep = slice(0, axis + 40) if side == "right" else slice(axis - 40, None)
    found, whole = completed(np.ascontiguousarray(pixels[:, keep]), np.ascontiguousarray(mask[:, keep]))
    assert found.shape[:2] == whole.shape
    assert overlap(whole, mask) > 0.85


@pytest.mark.parametrize("side", ["left", "right"])
def test_less_than_half_a_garment_is_refused_and_the_side_named(side: str) -> None:
    pixels, mask = flat()
    middle = mask.shape[1] // 2
    keep = slice(0, middle - 25) if side == "right" else slice(middle + 25, None)
    with pytest.raises(UserError, match=f"cut off on the {side}"):
        completed(pixels[:, keep], mask[:, keep])


def test_a_whole_garment_is_left_as_it_is() -> None:
    pixels, mask = flat()
    assert completed(pixels, mask)[1] is mask


def test_a_small_garment_is_refused() -> None:
    pixels = np.full((400, 300, 3), 240, np.uint8)
    pixels[160:240, 120:180] = (30, 60, 160)
    with pytest.raises(UserError, match="only 80 pixels"):
        cut_out(Photo(pixels))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_any_mask_is_completed_and_set_upright_or_refused(height: int, width: int, seed: int, share: float) -> None:
    mask = (np.random.default_rng(seed).random((height, width)) < share).astype(np.float32)
    try:
        pixels, found = upright(*completed(np.zeros((height, width, 3), np.uint8), mask))
    except UserError:
        return
    assert pixels.shape[:2] == found.shape
