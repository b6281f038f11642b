"""Cutting garments out of photos."""

from __future__ import annotations

import numpy as np
import pytest

from lite_vton.errors import UserError
from lite_vton.garment.cutout import CLIP_SIDE, Cutout, cut_out, on_white
from lite_vton.photo.files import Photo


def shirt(height: int = 200, width: int = 160) -> np.ndarray:
    """A body with two sleeves, True inside."""
    inside = np.zeros((height, width), bool)
    inside[40:170, 50:110] = True
    inside[45:80, 25:135] = True
    return inside


def photo_of(inside: np.ndarray, background: np.ndarray) -> Photo:
    pixels = background.copy()
    pixels[inside] = (30, 60, 160)
    return Photo(pixels)


def overlap(found: np.ndarray, inside: np.ndarray) -> float:
    """Intersection over union, both trimmed to their own extent."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    part = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    mask = found > 0.5
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = min(part.shape[0], mask.shape[0]), min(part.shape[1], mask.shape[1])
    both = (part[:height, :width] & mask[:height, :width]).sum()
    return float(both / (part.sum() + mask.sum() - both))


@pytest.mark.parametrize("noise", [2, 40])
def test_plain_and_busy_backgrounds_are_removed(noise: int) -> None:
    random = np.random.default_rng(0)
    background = (200 + random.integers(-noise, noise + 1, (200, 160, 3))).astype(np.uint8)
    cut = cut_out(photo_of(shirt(), background))
    assert cut.mask.shape == cut.pixels.shape[:2]
    assert cut.mask.dtype == np.float32
    assert overlap(cut.mask, shirt()) > 0.95


def test_a_print_of_the_background_s_colour_stays_in_the_garment() -> None:
    photo = photo_of(shirt(), np.full((200, 160, 3), 240, np.uint8))
    photo.pixels[100:120, 70:90] = 240
    assert overlap(cut_out(photo).mask, shirt()) > 0.95


def test_only_the_largest_piece_is_kept() -> None:
    inside = shirt()
    inside[180:195, 5:20] = True
    cut = cut_out(photo_of(inside, np.full((200, 160, 3), 240, np.uint8)))
    assert overlap(cut.mask, shirt()) > 0.95


def test_a_mask_decides_over_everything_else() -> None:
    photo = photo_of(shirt(), np.full((200, 160, 3), 240, np.uint8))
    mask = np.zeros((200, 160), np.uint8)
    mask[60:90, 60:100] = 255
    cut = cut_out(photo, mask)
    assert (cut.mask > 0.5).sum() == 30 * 40


def test_transparency_is_the_mask_with_its_soft_rim() -> None:
    alpha = np.zeros((200, 160), np.uint8)
    alpha[60:90, 60:100] = 255
    alpha[59, 60:100] = 100
    cut = cut_out(Photo(np.zeros((200, 160, 3), np.uint8), alpha=alpha))
    assert np.isclose(cut.mask, 100 / 255).sum() == 40
    assert (cut.mask == 1).sum() == 30 * 40


def test_the_same_photo_gives_the_same_garment() -> None:
    background = np.random.default_rng(1).integers(120, 255, (200, 160, 3), dtype=np.uint8)
    one, two = (cut_out(photo_of(shirt(), background)) for _ in range(2))
    np.testing.assert_array_equal(one.mask, two.mask)


def test_nothing_to_cut_out_is_a_user_error() -> None:
    blank = Photo(np.full((200, 160, 3), 240, np.uint8))
    with pytest.raises(UserError, match="no garment"):
        cut_out(blank)
    with pytest.raises(UserError, match="empty"):
        cut_out(blank, np.zeros((200, 160), np.uint8))
    with pytest.raises(UserError, match="160x200"):
        cut_out(blank, np.zeros((20, 16), np.uint8))


def test_the_garment_on_white_keeps_its_proportions_and_loses_its_background() -> None:
    pixels = np.zeros((40, 20, 3), np.uint8)  # black behind a red garment
    pixels[:, 5:15] = (200, 0, 0)
    mask = np.zeros((40, 20), np.float32)
    mask[:, 5:15] = 1
    square = on_white(Cutout(pixels, mask))
    assert square.shape == (CLIP_SIDE, CLIP_SIDE, 3)
    red = square[..., 1] < 128
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert len(rows) == CLIP_SIDE
    assert len(columns) == pytest.approx(CLIP_SIDE / 4, abs=6)
    assert columns.mean() == pytest.approx(CLIP_SIDE / 2 - 0.5, abs=1)
    assert (square[:, :50] == 255).all()
    assert (square[:, -50:] == 255).all()


def test_a_large_garment_is_shrunk_to_the_square() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (300, 900, 3), dtype=np.uint8)
    square = on_white(Cutout(pixels, np.ones((300, 900), np.float32)))
    assert (square[:70] == 255).all()
    assert not (square[80:144] == 255).all(axis=(1, 2)).any()
