"""A garment as the shop would show it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.conversion.pair_files import shop_picture
from lite_vton.garment.cut import Cut
from lite_vton.garment.cutout import Cutout


def cutout(height: int, width: int, border: int) -> Cutout:
    mask = np.zeros((height + 2 * border, width + 2 * border), np.float32)
    mask[border : border + height, border : border + width] = 1
    pixels = np.full((*mask.shape, 3), 10, np.uint8)
    pixels[mask > 0] = (200, 30, 30)
    return Cutout(pixels, mask)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 300), st.integers(2, 300), st.integers(0, 20))
def test_it_lies_whole_in_the_middle_on_white(height: int, width: int, border: int) -> None:
    garment = cutout(height, width, border)
    shop = shop_picture(garment, garment.mask > 2, 128, 96)
    assert (shop.cloth[shop.mask == 0] == 255).mean() > 0.97, "nothing of its background"
    assert np.abs(np.median(shop.cloth[shop.mask > 0], axis=0) - (200, 30, 30)).max() <= 3
    rows, columns = np.flatnonzero(shop.mask.any(axis=1)), np.flatnonzero(shop.mask.any(axis=0))
    assert abs(rows[0] - (127 - rows[-1])) <= 1
    assert abs(columns[0] - (95 - columns[-1])) <= 1
    assert min(rows[0], columns[0]) >= 4
    assert not shop.holes.any()


def test_holes_stay_where_they_are_on_the_cloth() -> None:
    garment = cutout(100, 60, 10)
    hidden = np.zeros(garment.mask.shape, bool)
    hidden[10:60, 10:40] = True
    shop = shop_picture(garment, hidden, 256, 192)
    rows, columns = np.flatnonzero(shop.mask.any(axis=1)), np.flatnonzero(shop.mask.any(axis=0))
    quarter = shop.holes[rows[0] : rows[0] + len(rows) // 2, columns[0] : columns[0] + len(columns) // 2]
    assert (quarter > 0).mean() > 0.95
    assert abs((shop.holes > 0).sum() - quarter.size) < 0.05 * quarter.size


def test_its_cut_moves_with_it() -> None:
    garment = cutout(100, 60, 10)
    cut = Cut(10.0, 0.5, np.array([10.0, 109.0]), np.array([[10.0, 69.0]] * 2), 1.0, (38, 38, 38), (), (None, None))
    shop = shop_picture(replace(garment, cut=cut), garment.mask > 2, 256, 192)
    assert shop.cut is not None
    rows, columns = np.flatnonzero(shop.mask.any(axis=1)), np.flatnonzero(shop.mask.any(axis=0))
    np.testing.assert_allclose(shop.cut.rows, [rows[0], rows[-1]], atol=1.2)
    np.testing.assert_allclose(shop.cut.sides[0], [columns[0], columns[-1]], atol=1.2)
    assert shop.cut.top == shop.cut.rows[0]
    assert shop_picture(garment, garment.mask > 2, 256, 192).cut is None


def test_what_is_hidden_outside_the_garment_is_no_hole() -> None:
    garment = cutout(50, 50, 10)
    shop = shop_picture(garment, garment.mask < 0.5, 128, 96)
    assert not (shop.holes > 0)[shop.mask == 0].any()
