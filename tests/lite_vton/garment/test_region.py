"""Where the garment is, before backgrounds that are not plain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.pair import draw_pair
from lite_vton.errors import UserError
from lite_vton.garment.region import find_region


def shop(index: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A drawn garment (320, 240, 3), and where it is."""
    pair = draw_pair(11, index, 320, 240)
    return pair.cloth, pair.cloth_mask > 0


def on(background: np.ndarray, index: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """With a wide margin on another background."""
    cloth, inside = shop(index)
    height, width = inside.shape
    top, left = (background.shape[0] - height) // 2, (background.shape[1] - width) // 2
    picture, mask = background.copy(), np.zeros(background.shape[:2], bool)
    box = slice(top, top + height), slice(left, left + width)
    picture[box][inside] = cloth[inside]
    mask[box] = inside
    return picture, mask


def overlap(found: np.ndarray, inside: np.ndarray) -> float:
    mask = found > 0.5
    return float((mask & inside).sum() / (mask | inside).sum())


def tiles() -> np.ndarray:
    floor = np.full((420, 340, 3), 205, np.uint8)
    floor[::70], floor[:, ::70], floor[1::70], floor[:, 1::70] = 90, 90, 90, 90
    return floor


def planks() -> np.ndarray:
    rng = np.random.default_rng(0)
    tones = rng.integers(90, 150, 12)
    floor = np.zeros((420, 340, 3), np.uint8)
    for k, tone in enumerate(tones):
        floor[k * 35 : (k + 1) * 35] = (tone, tone * 0.75, tone * 0.5)
    return np.clip(floor + rng.normal(0, 6, floor.shape), 0, 255).astype(np.uint8)


def blanket() -> np.ndarray:
    y, x = np.mgrid[:420, :340]
    rings = (np.sin(np.hypot(x % 60 - 30, y % 60 - 30) / 4) > 0)[..., None]
    return np.where(rings, (200, 190, 120), (120, 150, 90)).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("background", [tiles, planks, blanket])
def test_busy_backgrounds_are_left_out(background: object) -> None:
    assert callable(background)
    picture, inside = on(background())
    assert overlap(find_region(picture), inside) > 0.9


def test_a_hook_is_no_part_of_the_garment() -> None:
    picture, inside = on(np.full((420, 340, 3), 235, np.uint8))
    first = int(np.flatnonzero(inside[:, 170])[0])
    picture[first - 40 : first + 2, 168:172] = 20
    found = find_region(picture)
    assert overlap(found, inside) > 0.93
    assert (found[: first - 20] < 0.5).all()


def test_two_garments_are_refused() -> None:
    picture = np.full((420, 800, 3), 240, np.uint8)
    cloth, inside = shop()
    for left in (60, 460):
        picture[50:370, left : left + 240][inside] = cloth[inside]
    with pytest.raises(UserError, match="several garments"):
        find_region(picture)


def test_a_shadow_beside_it_is_no_second_garment() -> None:
    picture, inside = on(np.full((420, 340, 3), 235, np.uint8))
    picture[380:400, 10:60] = 190
    assert overlap(find_region(picture), inside) > 0.9


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1), st.booleans())
def test_any_picture_gives_a_region_or_says_why_not(height: int, width: int, seed: int, plain: bool) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if plain:
        pixels[:] = pixels[0, 0]
    try:
        found = find_region(pixels)
    except UserError:
        return
    assert found.shape == (height, width)
    assert 0 <= found.min() <= found.max() <= 1
