"""How a garment is cut, wherever in a picture it lies."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.pair import draw_pair
from lite_vton.garment.cut import Cut, SleeveCut, read_cut

QUICK = settings(max_examples=40, deadline=None)


def long_sleeved(known: bool = True) -> Cut:
    """In a picture of 200 by 200."""
    left = SleeveCut(np.array([70.0, 40.0]), np.array([20.0, 140.0]), np.linspace(9, 6, 17), 0.9)
    right = SleeveCut(np.array([130.0, 41.0]), np.array([181.0, 139.0]), np.linspace(10, 5, 17), 0.8)
    rows = np.array([15.0, 60.0, 150.0])
    sides = np.array([[65.0, 135.0], [66.0, 133.0], [60.0, 141.0]])
    return Cut(20.0, 1.1, rows, sides, 1.2, (36.0, 33.0, 38.0), ((1.2, 1.1),), (left, right), known)


def flattened(cut: Cut) -> np.ndarray:
    sleeves = [np.hstack([each.start, each.end, each.half, each.share]) for each in cut.sleeves if each is not None]
    plain = [getattr(cut, part.name) for part in fields(cut) if part.name != "sleeves"]
    return np.hstack([np.ravel(np.asarray(part, np.float64)) for part in (*plain, *sleeves)])


@QUICK
@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.2, 5))
def test_moved_there_and_back_it_is_as_it_was(left: float, top: float, scale: float) -> None:
    cut = long_sleeved()
    there = cut.moved(left, top).moved(0, 0, scale)
    back = there.moved(0, 0, 1 / scale).moved(-left, -top)
    np.testing.assert_allclose(flattened(back), flattened(cut), atol=1e-6)


@QUICK
@given(st.floats(-0.1, 1.2), st.floats(-1, 1), st.integers(0, 40), st.integers(0, 15), st.sampled_from([0.5, 2.0]))
def test_every_place_on_the_cloth_moves_with_the_picture(v: float, u: float, left: int, top: int, scale: float) -> None:
    cut = long_sleeved()
    row = cut.row(np.array([v]))
    column = cut.column(np.array([u]), row)
    moved = cut.moved(left, top, scale)
    found = moved.row(np.array([v]))
    np.testing.assert_allclose(found, (row - top + 0.5) * scale - 0.5, atol=1e-9)
    np.testing.assert_allclose(moved.column(np.array([u]), found), (column - left + 0.5) * scale - 0.5, atol=1e-6)


def test_in_a_mirror_left_is_right_and_twice_it_is_as_it_was() -> None:
    cut = long_sleeved()
    seen = cut.mirrored(200)
    left, right = seen.sleeves
    assert left is not None
    assert right is not None
    assert (left.share, right.share) == (0.8, 0.9)
    assert (left.end.tolist(), right.end.tolist()) == ([18.0, 139.0], [179.0, 140.0])
    row = np.array([60.0])
    assert seen.column(np.array([1.0]), row) == 199 - cut.column(np.array([-1.0]), row)
    np.testing.assert_allclose(flattened(seen.mirrored(200)), flattened(cut))


def test_one_read_off_a_silhouette_is_not_known() -> None:
    pair = draw_pair(11, 7, 320, 240)
    assert not read_cut((pair.cloth_mask > 0).astype(np.float32)).known
