"""Photos with something around them, and what alpha says of a garment."""

from __future__ import annotations

import numpy as np
import pytest

from lite_vton.garment.cutout import cut_out
from lite_vton.photo.files import Photo
from lite_vton.photo.frame import cuts_out, within_alpha, without_frame


def shirt_photo() -> tuple[np.ndarray, np.ndarray]:
    """A blue shirt on a noisy grey floor (240, 200, 3), and where it is."""
    inside = np.zeros((240, 200), bool)
    inside[60:200, 65:135] = True
    inside[65:105, 35:165] = True
    pixels = np.random.default_rng(0).integers(150, 200, (240, 200, 3), dtype=np.uint8)
    pixels[inside] = (30, 60, 160)
    return pixels, inside


def framed(pixels: np.ndarray, colour: int, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    return np.pad(pixels, ((top, bottom), (left, right), (0, 0)), constant_values=colour)


BORDERS = [(20, 20, 20, 20), (30, 30, 0, 0), (0, 0, 40, 40), (50, 0, 0, 0), (5, 90, 5, 5)]


@pytest.mark.parametrize("colour", [0, 255, 90])
@pytest.mark.parametrize("border", BORDERS)
def test_a_border_and_bars_are_taken_off_and_nothing_else(colour: int, border: tuple[int, int, int, int]) -> None:
    pixels, _ = shirt_photo()
    np.testing.assert_array_equal(without_frame(framed(pixels, colour, *border)), pixels)
    within = framed(framed(pixels, 255, 10, 10, 10, 10), 0, *border)
    np.testing.assert_array_equal(without_frame(within), pixels)


def test_a_photo_without_a_frame_stays_whole() -> None:
    pixels, inside = shirt_photo()
    plain = np.full_like(pixels, 255)
    plain[inside] = (30, 60, 160)
    for photo in (pixels, plain, np.full_like(pixels, 128)):
        assert without_frame(photo) is photo


def shapes(inside: np.ndarray) -> dict[str, np.ndarray]:
    """Alpha by what it is of."""
    height, width = inside.shape
    y, x = np.mgrid[:height, :width]
    one, corners = np.full(inside.shape, 255, np.uint8), np.full(inside.shape, 255, np.uint8)
    one[3, 5] = 0
    near_y, near_x = np.clip(y, 30, height - 31), np.clip(x, 30, width - 31)
    corners[np.hypot(y - near_y, x - near_x) > 30] = 0
    window = np.zeros_like(one)
    window[20:-20, 20:-20] = 255
    shadow = np.maximum(window, (90 * (np.hypot(y - height / 2, x - width / 2) < 110)).astype(np.uint8))
    disc = (255 * (((2 * y + 1) / height - 1) ** 2 + ((2 * x + 1) / width - 1) ** 2 <= 1)).astype(np.uint8)
    return {
        "one clear pixel": one,
        "254": np.full_like(one, 254),
        "rounded corners": corners,
        "window with a shadow": shadow,
        "disc": disc,
        "cut-out": np.where(inside, 255, 0).astype(np.uint8),
        "soft cut-out": np.where(inside, 220, 3).astype(np.uint8),
    }


@pytest.mark.parametrize("name", shapes(np.zeros((240, 200), bool)))
def test_alpha_is_a_cut_out_only_where_it_cuts_something_out(name: str) -> None:
    pixels, inside = shirt_photo()
    alpha = shapes(inside)[name]
    assert cuts_out(alpha) == ("cut-out" in name)
    cutout = cut_out(Photo(pixels, None, alpha))
    assert (cutout.mask > 0.5).sum() == pytest.approx(inside.sum(), rel=0.03)


def test_rounded_corners_are_filled_from_beside_them() -> None:
    pixels, inside = shirt_photo()
    alpha = shapes(inside)["rounded corners"]
    seen = within_alpha(np.where(alpha[..., None] > 0, pixels, 255).astype(np.uint8), alpha)
    assert seen.shape == pixels.shape
    assert seen.max() < 200


@pytest.mark.parametrize("border", BORDERS)
def test_the_garment_in_a_framed_photo_is_the_garment_alone(border: tuple[int, int, int, int]) -> None:
    pixels, inside = shirt_photo()
    cutout = cut_out(Photo(framed(pixels, 255, *border)))
    assert (cutout.mask > 0.5).sum() == pytest.approx(inside.sum(), rel=0.03)
