"""A parse map makes the mask exact: nothing of the old garment stays, nothing worn over it goes."""

from __future__ import annotations

import numpy as np
import pytest

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.data.labels import Part
from lite_vton.mask import agnostic_mask
from lite_vton.parsed_mask import parsed_mask

GARMENT = (Part.UPPER_CLOTHES, Part.DRESS)
BOTTOM = (Part.TROUSERS, Part.SKIRT)


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [draw_pair(5, index) for index in range(16)]


def mask_of(pair: Pair) -> np.ndarray:
    height, width = pair.parse.shape
    return parsed_mask(
        agnostic_mask(pair.keypoints, height, width, pair.category), pair.parse, pair.keypoints, pair.category
    )


def test_no_pixel_of_the_old_garment_stays(pairs: list[Pair]) -> None:
    stayed = 0
    for pair in pairs:
        plain = agnostic_mask(pair.keypoints, *pair.parse.shape, pair.category)
        garment = np.isin(pair.parse, GARMENT)
        stayed += int((garment & (plain == 0)).sum())
        assert not (garment & (mask_of(pair) == 0)).any()
    assert stayed > 0, "the mask from keypoints alone should have left some, or this test shows nothing"


def test_hair_and_face_stay_but_for_their_borders(pairs: list[Pair]) -> None:
    for pair in pairs:
        head = np.isin(pair.parse, (Part.HAIR, Part.FACE))
        inner = np.all([np.roll(head, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)
        assert inner.any()
        assert not mask_of(pair)[inner].any()


def test_trousers_over_a_tucked_garment_stay_and_under_a_loose_one_go(pairs: list[Pair]) -> None:
    tucked, loose = [], []
    for pair in pairs:
        if pair.category == "dress":
            continue
        plain = agnostic_mask(pair.keypoints, *pair.parse.shape, pair.category) > 0.5
        hidden = np.isin(pair.parse, BOTTOM) & plain
        shown = hidden & (mask_of(pair) == 0)
        (tucked if shown.sum() > 0.5 * hidden.sum() else loose).append((int(shown.sum()), int(hidden.sum())))
    assert tucked
    assert loose
    assert all(shown == 0 for shown, _ in loose)


def test_a_parse_without_anything_of_interest_changes_nothing(pairs: list[Pair]) -> None:
    pair = pairs[0]
    plain = agnostic_mask(pair.keypoints, *pair.parse.shape, pair.category)
    empty = np.zeros_like(pair.parse)
    assert np.array_equal(parsed_mask(plain, empty, pair.keypoints, pair.category), plain)
