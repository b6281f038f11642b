"""The sheet shows the pairs in rows and the ways in columns."""

from __future__ import annotations

import numpy as np
import pytest

from lite_vton.data.sample import TryOnSample
from lite_vton.tryon.inputs import TryOnInputs, to_network
from lite_vton.workflows.dress.side_by_side import MOST_PAIRS, SideBySide

RED, GREEN, BLUE, WHITE, GREY = (200, 0, 0), (0, 200, 0), (0, 0, 200), (255, 255, 255), (128, 128, 128)


def plain(colour: tuple[int, int, int], height: int = 128, width: int = 96) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def pair(height: int = 128, width: int = 96) -> TryOnSample:
    """Somebody red, to be repainted all over, and a garment that is green."""
    everywhere = np.ones((height, width), np.float32)
    person, garment = plain(RED, height, width), plain(GREEN, height, width)
    inputs = TryOnInputs.compose(person, everywhere, garment, everywhere, person)
    return TryOnSample("a.jpg", "b.jpg", "upper", inputs, to_network(person), garment, garment, everywhere)


def shown(sheet: np.ndarray) -> list[tuple[int, ...]]:
    """The colours across the middle of the first row of tiles."""
    row = [tuple(int(value) for value in pixel) for pixel in sheet[22 + 64]]
    return [colour for colour, before in zip(row[1:], row, strict=False) if colour != before and colour != WHITE]


def test_columns_stand_in_their_order_whatever_order_they_were_made_in() -> None:
    sheet = SideBySide()
    for key, colour in (("model", BLUE), ("autoencoder", GREY), ("poisson-warp", (9, 9, 9)), ("teacher", (0, 9, 9))):
        sheet.add(key, pair(), plain(colour))
    assert shown(sheet.sheet()) == [GREY, GREEN, (9, 9, 9), (0, 9, 9), BLUE, RED]


@pytest.mark.slow
def test_no_more_than_the_first_pairs_are_shown_and_large_pictures_are_shrunk() -> None:
    sheet = SideBySide()
    for _ in range(MOST_PAIRS + 3):
        sheet.add("model", pair(512, 384), plain(BLUE, 512, 384))
    height, width = sheet.sheet().shape[:2]
    assert MOST_PAIRS * 256 < height < (MOST_PAIRS + 2) * 256
    assert 4 * 192 < width < 5 * 220
