"""A garment's named points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.pair import draw_pair
from lite_vton.garment.cutout import Cutout
from lite_vton.garment.landmarks import find_marks, landmarks_picture


def flat(index: int) -> Cutout:
    pair = draw_pair(11, index, 512, 384)
    return Cutout(pair.cloth, (pair.cloth_mask > 0).astype(np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1, 7, 9])
def test_points_lie_where_their_names_say(index: int) -> None:
    mask = flat(index).mask
    marks = find_marks(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert marks.shoulder_left[0] < marks.collar_left[0] < marks.collar_middle[0]
    assert marks.collar_middle[0] < marks.collar_right[0] < marks.shoulder_right[0]
    assert marks.collar_left[1] < marks.collar_middle[1]
    assert marks.collar_left[1] < marks.shoulder_left[1]
    assert marks.hem_left[1] > rows[0] + 0.8 * len(rows)
    assert marks.sleeve_left is not None
    assert marks.sleeve_right is not None
    assert marks.sleeve_left[0] < columns[0] + 0.2 * len(columns)
    assert marks.sleeve_right[0] > columns[0] + 0.8 * len(columns)


@pytest.mark.slow
def test_a_vest_has_no_sleeve_ends() -> None:
    marks = find_marks(flat(3).mask)
    assert marks.sleeve_left is None
    assert "sleeve_left" not in marks.named()
    assert "hem_left" in marks.named()


def test_the_picture_shows_a_dot_at_each_point() -> None:
    cutout = flat(1)
    picture = landmarks_picture(cutout)
    assert picture.shape == cutout.pixels.shape
    assert picture.dtype == np.uint8
    for x, y in find_marks(cutout.mask).named().values():
        np.testing.assert_array_equal(picture[round(y), round(x)], (200, 0, 60))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(0.02, 1))
def test_any_mask_has_points_within_its_picture(height: int, width: int, seed: int, share: float) -> None:
    mask = (np.random.default_rng(seed).random((height, width)) < share).astype(np.float32)
    mask[0, 0] = 1
    for x, y in find_marks(mask).named().values():
        assert 0 <= x <= width - 1
        assert 0 <= y <= height - 1
