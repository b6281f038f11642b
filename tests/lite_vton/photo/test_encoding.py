"""Pictures as the content of files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lite_vton.errors import UserError
from lite_vton.photo.encoding import encode_picture, encode_png, written_format
from lite_vton.photo.files import load_photo, save_photo
from lite_vton.photo.transparency import from_white, over_white

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 80), width=st.integers(1, 80), depth=st.sampled_from([0, 3, 4]), profile=st.booleans())
def test_a_quick_png_is_the_picture_bit_for_bit(height: int, width: int, depth: int, profile: bool) -> None:
    pixels = noise(*(height, width, depth)[: 3 if depth else 2])
    file = io.BytesIO()
    encode_png(file, pixels, PROFILE if profile else None)
    with Image.open(file) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
        assert image.info.get("icc_profile") == (PROFILE if profile else None)


@pytest.mark.slow
def test_a_large_picture_is_written_quickly_and_whole(tmp_path: Path) -> None:
    pixels = np.repeat(np.repeat(noise(250, 200, 3), 10, axis=0), 10, axis=1)
    save_photo(tmp_path / "large.png", pixels, PROFILE)
    photo = load_photo(tmp_path / "large.png")
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.icc_profile == PROFILE


@pytest.mark.parametrize(("name", "exact"), [("a.png", True), ("a.webp", False), ("A.WEBP", False)])
def test_transparency_is_kept_where_the_format_has_it(tmp_path: Path, name: str, exact: bool) -> None:
    pixels = np.dstack([np.full((80, 90, 3), (200, 30, 60), np.uint8), noise(80, 90)])
    pixels[0, 0] = (1, 2, 3, 0)
    save_photo(tmp_path / name, pixels, PROFILE)
    with Image.open(tmp_path / name) as image:
        assert image.mode == "RGBA"
        assert image.info["icc_profile"] == PROFILE
        np.testing.assert_array_equal(np.asarray(image)[..., 3], pixels[..., 3])
        if exact:
            np.testing.assert_array_equal(np.asarray(image), pixels)


def test_a_jpeg_of_a_transparent_picture_is_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((80, 90, 4), np.uint8)
    pixels[:, 45:, 3] = 255
    save_photo(tmp_path / "a.jpg", pixels)
    seen = load_photo(tmp_path / "a.jpg").pixels
    assert seen[:, :40].min() > 250
    assert seen[:, 50:].max() < 5


def test_a_picture_too_large_for_its_format_is_refused_before_it_is_written() -> None:
    with pytest.raises(UserError, match=r"16383 pixels a side and the picture is 20000x10, name it \.png"):
        written_format(Path("a.webp"), 10, 20_000)
    with pytest.raises(UserError, match=r"name it \.png, \.jpg, \.jpeg or \.webp"):
        written_format(Path("a"))
    encode_picture(io.BytesIO(), noise(10, 20_000), written_format(Path("a.jpg"), 10, 20_000))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99))
def test_colours_taken_off_white_look_the_same_on_white(seed: int) -> None:
    alpha, colours = noise(20, 20, seed=seed), noise(20, 20, 3, seed=seed + 100)
    alpha[:5] = 0
    seen = over_white(colours, alpha)
    again = from_white(seen, alpha, beneath=colours)
    assert np.abs(over_white(again, alpha).astype(int) - seen).max() <= 1
    np.testing.assert_array_equal(again[:5], colours[:5])
    np.testing.assert_array_equal(over_white(colours, np.full((20, 20), 255, np.uint8)), colours)
