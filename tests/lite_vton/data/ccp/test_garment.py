from __future__ import annotations

import numpy as np

from lite_vton.data.ccp.garment import as_one_garment
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.parse_labels import Part
from tests.lite_vton.garment.flat_lowers import STANDING

BODY = Keypoints(STANDING.astype(np.float32), np.ones(18, np.float32))
NECK = int(STANDING[Joint.NECK][1])
HIPS = int(STANDING[[Joint.R_HIP, Joint.L_HIP]].mean(axis=0)[1])
MIDDLE = int(STANDING[Joint.NECK][0])
TORSO = HIPS - NECK


def worn(*pieces: tuple[Part, float, float, int]) -> np.ndarray:
    """Each piece a rectangle from one to another share of the torso down, so many pixels to either side."""
    parse = np.zeros((NECK + 4 * TORSO, 2 * MIDDLE), np.uint8)
    for part, top, bottom, half in pieces:
        parse[NECK + int(top * TORSO) : NECK + int(bottom * TORSO), MIDDLE - half : MIDDLE + half] = part
    return parse


def test_a_shirt_is_an_upper_garment_as_it_was() -> None:
    parse = worn((Part.UPPER_CLOTHES, 0, 1, 40), (Part.TROUSERS, 1, 3, 30))
    found, category = as_one_garment(parse, BODY)
    assert category == "upper"
    np.testing.assert_array_equal(found, parse)


def test_a_dress_with_a_jacket_over_it_is_one_dress() -> None:
    parse = worn((Part.COAT, 0, 0.9, 45), (Part.DRESS, 0, 2, 30))
    found, category = as_one_garment(parse, BODY)
    assert category == "dress"
    assert set(np.unique(found)) == {Part.BACKGROUND, Part.DRESS}


def test_a_dress_that_shows_only_below_a_sweater_is_a_skirt() -> None:
    parse = worn((Part.DRESS, 1.1, 2, 35), (Part.UPPER_CLOTHES, 0, 1.1, 40))
    found, category = as_one_garment(parse, BODY)
    assert category == "upper"
    assert not (found == Part.DRESS).any()
    np.testing.assert_array_equal(found == Part.SKIRT, parse == Part.DRESS)


def test_a_long_coat_is_a_dress_where_it_is_closed_and_none_where_it_shows_the_trousers() -> None:
    closed, category = as_one_garment(worn((Part.COAT, 0, 1.8, 45)), BODY)
    assert category == "dress"
    assert (closed[closed > 0] == Part.DRESS).all()
    open_ = worn((Part.COAT, 0, 1.8, 45), (Part.UPPER_CLOTHES, 0, 1, 25), (Part.TROUSERS, 1, 3, 30))
    found, category = as_one_garment(open_, BODY)
    assert category == "upper"
    np.testing.assert_array_equal(found, open_)


def test_a_parse_without_a_garment_stays_as_it_is() -> None:
    parse = worn((Part.TROUSERS, 1, 3, 30))
    found, _ = as_one_garment(parse, BODY)
    np.testing.assert_array_equal(found, parse)
