"""Masks of garments: what is of another picture, or none, is refused in a line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.errors import UserError
from lite_vton.garment.given_mask import check_garment_mask


@pytest.fixture(scope="module")
def pair() -> Pair:
    return draw_pair(5, 0, 512, 384)


WRONG: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "inverted": (lambda m: 255 - m, "looks inverted"),
    "all white": (lambda m: np.full_like(m, 255), "everything, it is all white"),
    "all black": (lambda m: np.zeros_like(m), "cuts out nothing, it is empty"),
    "upside down": (lambda m: m[::-1, ::-1], "does not lie on the garment: it looks (upside down|flipped from top)"),
    "half as large": (
        lambda m: m[::2, ::2],
        "is 192x256 and its photo 384x512: give one of this very photo",
    ),
    "lying": (lambda m: m.T, "512x384 and its photo 384x512: it looks turned by 90 degrees"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_mask_of_this_garment_is_refused_by_name(pair: Pair, wrong: str) -> None:
    change, says = WRONG[wrong]
    with pytest.raises(UserError, match=says) as caught:
        check_garment_mask(change(pair.cloth_mask), pair.cloth, "cloth-mask/1.jpg")
    assert str(caught.value).startswith("cloth-mask/1.jpg ")


def test_a_quarter_turn_shows_in_a_square_picture(pair: Pair) -> None:
    side = np.pad(pair.cloth, ((0, 0), (64, 64), (0, 0)), constant_values=255)
    mask = np.pad(pair.cloth_mask, ((0, 0), (64, 64)))
    check_garment_mask(mask, side)
    with pytest.raises(UserError, match="turned by 90 degrees"):
        check_garment_mask(np.rot90(mask), side)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(8))
def test_a_garment_s_own_mask_is_taken_whatever_its_colour(index: int) -> None:
    pair = draw_pair(7, index, 256, 192)
    check_garment_mask(pair.cloth_mask, pair.cloth)
    white = np.where(pair.cloth_mask[..., None] > 0, np.uint8(250), np.uint8(255)) * np.ones(3, np.uint8)
    check_garment_mask(pair.cloth_mask, white)
    busy = np.random.default_rng(index).integers(0, 256, pair.cloth.shape, dtype=np.uint8)
    check_garment_mask(pair.cloth_mask, busy)
