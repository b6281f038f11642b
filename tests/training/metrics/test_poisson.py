"""Poisson blending puts things where they are, wherever that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lite_vton_training.metrics.poisson import poisson_clone

HEIGHT, WIDTH = 40, 30


def flat(value: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[top:bottom, left:right] = True
    return inside


@pytest.mark.parametrize(
    "region",
    [
        box(10, 30, 8, 20),
        box(11, 30, 8, 21),
        box(0, 21, 0, 12),
        box(19, 40, 10, 30),
        box(0, 40, 0, 30),
        box(0, 9, 5, 30),
    ],
    ids=["middle", "odd sizes", "top left", "bottom right", "whole picture", "three edges"],
)
def test_a_pattern_lands_in_its_own_place_and_a_constant_shift_is_gone(region: np.ndarray) -> None:
    rows, columns = np.nonzero(region)
    pattern = flat(0)
    # Away from the rim, whose colours are those of the surroundings.
    pattern[rows.min() + 2 : rows.max() - 2 : 3, columns.min() + 2 : columns.max() - 1 : 4] = (20, 40, 60)
    shifted = 150 + pattern
    shifted[~region] = 7
    found = poisson_clone(shifted, flat(90), region)
    assert np.abs(found.astype(int) - (90 + pattern.astype(int))).max() <= 2


@given(
    top=st.integers(0, HEIGHT - 5),
    left=st.integers(0, WIDTH - 5),
    height=st.integers(5, HEIGHT),
    width=st.integers(5, WIDTH),
    data=st.data(),
)
def test_a_single_spot_lands_where_it_is(top: int, left: int, height: int, width: int, data: st.DataObject) -> None:
    bottom, right = min(top + height, HEIGHT), min(left + width, WIDTH)
    row = data.draw(st.integers(top + 1, bottom - 2))
    column = data.draw(st.integers(left + 1, right - 2))
    source = flat(200)
    source[row, column] = 250
    found = poisson_clone(source, flat(100), box(top, bottom, left, right))
    spot = found[row, column].astype(int)
    assert np.abs(spot - 150).max() <= 3
    found[row, column] = 100
    assert np.abs(found.astype(int) - 100).max() <= 3


@given(hnp.arrays(bool, (9, 7)), st.integers(0, 2**32 - 1))
def test_no_region_is_too_small_or_too_ragged(inside: np.ndarray, seed: int) -> None:
    source, onto = np.random.default_rng(seed).integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
    before = source.copy(), onto.copy()
    found = poisson_clone(source, onto, inside)
    assert found.shape == onto.shape
    assert found.dtype == np.uint8
    assert np.array_equal(source, before[0])
    assert np.array_equal(onto, before[1])
    if not inside.any():
        assert np.array_equal(found, onto)


def test_what_the_source_shows_outside_does_not_matter() -> None:
    region = box(10, 30, 8, 20)
    source, onto, other = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    other[region] = source[region]
    assert np.array_equal(poisson_clone(source, onto, region), poisson_clone(other, onto, region))


def test_far_from_the_region_nothing_changes() -> None:
    source, onto = np.random.default_rng(1).integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    found = poisson_clone(source, onto, box(10, 20, 8, 16))
    found[7:23, 5:19] = onto[7:23, 5:19]
    assert np.array_equal(found, onto)
