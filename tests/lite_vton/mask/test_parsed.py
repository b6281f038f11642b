"""A parse map makes the mask exact: nothing of the old garment stays, nothing worn over it goes."""

from __future__ import annotations

import numpy as np
import pytest

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.mask.parsed import parsed_mask
from lite_vton.person.parse_labels import Part
from tests.lite_vton.garment.flat_lowers import standing

GARMENT = (Part.UPPER_CLOTHES, Part.DRESS)
BOTTOM = (Part.TROUSERS, Part.SKIRT)


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [draw_pair(5, index) for index in range(16)]


def _size(pair: Pair) -> tuple[int, int]:
    height, width = pair.parse.shape
    return height, width


def mask_of(pair: Pair) -> np.ndarray:
    whole = agnostic_mask(pair.keypoints, *_size(pair), pair.category)
    return parsed_mask(whole, pair.parse, pair.keypoints, pair.category)


@pytest.mark.slow
def test_no_pixel_of_the_old_garment_stays(pairs: list[Pair]) -> None:
    stayed = 0
    for pair in pairs:
        plain = agnostic_mask(pair.keypoints, *_size(pair), pair.category)
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
        plain = agnostic_mask(pair.keypoints, *_size(pair), pair.category) > 0.5
        hidden = np.isin(pair.parse, BOTTOM) & plain
        shown = hidden & (mask_of(pair) == 0)
        (tucked if shown.sum() > 0.5 * hidden.sum() else loose).append((int(shown.sum()), int(hidden.sum())))
    assert tucked
    assert loose
    assert all(shown == 0 for shown, _ in loose)


def test_a_parse_without_anything_of_interest_changes_nothing(pairs: list[Pair]) -> None:
    pair = pairs[0]
    plain = agnostic_mask(pair.keypoints, *_size(pair), pair.category)
    empty = np.zeros_like(pair.parse)
    assert np.array_equal(parsed_mask(plain, empty, pair.keypoints, pair.category), plain)


def test_of_a_lower_garment_all_goes_but_what_hangs_over_it() -> None:
    parse = np.zeros((400, 192), np.uint8)
    parse[150:330, 40:150] = Part.SKIRT
    parse[80:200, 60:132] = Part.UPPER_CLOTHES
    parse[190:230, 20:60] = Part.RIGHT_ARM
    parse[318:345, 60:90] = Part.RIGHT_SHOE
    keypoints = standing()
    plain = agnostic_mask(keypoints, 400, 192, "lower")
    mask = parsed_mask(plain, parse, keypoints, "lower")
    assert mask[parse == Part.SKIRT].all()
    assert plain[180, 96] == 1
    assert not mask[90:198, 62:130].any()
    assert not mask[195:225, 25:55].any()
    assert not mask[322:343, 64:86].any()
    assert mask[260, 96] == 1
