"""Photos in other colour spaces than sRGB."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from lite_vton.photo.colour_profiles import colour_space
from lite_vton.photo.crop import Crop, paste_mask, take_crop
from lite_vton.photo.files import Photo, read_photo, save_photo
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton.tryon.prepare import Prepared, into_photo
from tests.lite_vton.photo.made_profiles import ADOBE_RGB, P3, PROPHOTO, grey_profile, in_space, rgb_profile

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SPACES = {"P3": P3, "Adobe RGB": ADOBE_RGB, "ProPhoto": PROPHOTO}
COLOURS = np.array([(201, 36, 47), (128, 128, 128), (30, 90, 200), (240, 220, 40), (10, 10, 10), (255, 255, 255)])


def patches(colours: np.ndarray = COLOURS) -> np.ndarray:
    """(96, 120, 3), one block a colour."""
    return np.repeat(np.repeat(colours.reshape(2, 3, 3), 48, axis=0), 40, axis=1).astype(np.uint8)


def file_of(pixels: np.ndarray | Image.Image, profile: bytes, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(content, kind, icc_profile=profile, **options)
    return content.getvalue()


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("PNG", "RGBA")]
)
def test_a_photo_of_another_space_has_the_colours_that_a_viewer_shows(
    name: str, kind: str, options: dict[str, object] | str
) -> None:
    stored, profile = in_space(patches(), SPACES[name]), rgb_profile(SPACES[name])
    if isinstance(options, str):
        photo = read_photo(file_of(Image.fromarray(stored).convert(options), profile, kind), "it")
    else:
        photo = read_photo(file_of(stored, profile, kind, **options), "it")
    assert np.abs(stored.astype(int) - patches()).max() > 10
    assert np.abs(photo.pixels.astype(int) - patches()).max() <= 3
    np.testing.assert_array_equal(photo.own, stored)
    assert photo.icc_profile == profile


def test_srgb_and_what_is_no_rgb_profile_change_nothing() -> None:
    for profile in (SRGB, b"broken", SRGB[:200], SRGB[:-900] + bytes(900), grey_profile(1.8), b"\0" * 128):
        photo = read_photo(file_of(patches(), profile), "it")
        np.testing.assert_array_equal(photo.pixels, patches())
        assert photo.pixels is photo.own
    assert read_photo(file_of(patches(), SRGB), "it").icc_profile == SRGB
    assert read_photo(file_of(patches(), b"broken"), "it").icc_profile is None
    assert colour_space(None) is None


def test_a_grey_profile_is_followed_and_the_photo_is_in_srgb_then() -> None:
    grey = Image.new("L", (80, 80), 128)
    for mode in ("L", "LA"):
        photo = read_photo(file_of(grey.convert(mode), grey_profile(1.0)), "it")
        assert np.abs(photo.pixels.astype(int) - 188).max() <= 1  # linear light of a half
        assert photo.icc_profile is None


@pytest.mark.parametrize("profile", [b"", b"broken", SRGB])
def test_inks_and_lab_are_read_with_whatever_profile(profile: bytes) -> None:
    lab = ImageCms.applyTransform(
        Image.fromarray(patches()),
        ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"),
    )
    assert lab is not None
    assert np.abs(read_photo(file_of(lab, profile, "TIFF"), "it").pixels.astype(int) - patches()).max() <= 6
    inks = Image.fromarray(patches()).convert("CMYK")
    assert np.abs(read_photo(file_of(inks, profile, "TIFF"), "it").pixels.astype(int) - patches()).max() <= 1


def prepared_for(photo: Photo, crop: Crop) -> Prepared:
    """The middle of the crop is repainted, all of it by the garment."""
    mask = np.zeros((64, 48), np.float32)
    mask[12:52, 8:40] = 1
    seen = photo.taken(crop, 64, 48)
    inputs = TryOnInputs.compose(seen, mask, seen, mask, seen, None)
    return Prepared(inputs, crop, seen, seen, mask, mask, seen, None, "upper")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [None, *SPACES])
@pytest.mark.parametrize("transparent", [False, True])
def test_a_result_is_in_the_photo_s_own_space_and_changes_nothing_outside_the_mask(
    tmp_path: Path, name: str | None, transparent: bool
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (160, 120, 3), dtype=np.uint8)
    alpha = None
    if transparent:
        alpha = np.full((160, 120), 255, np.uint8)
        alpha[:, :50], alpha[:, 50:60] = 0, 200
    photo = Photo(noise, None if name is None else rgb_profile(SPACES[name]), alpha)
    crop = Crop(0, 0, 120, 160)
    prepared = prepared_for(photo, crop)
    red = np.full((64, 48, 3), (201, 36, 47), np.uint8)
    pasted = into_photo(photo, prepared, red)
    assert pasted.shape == (160, 120, 4 if transparent else 3)
    outside = paste_mask(prepared.mask, crop, 160, 120) == 0
    np.testing.assert_array_equal(pasted[outside, :3], noise[outside])
    save_photo(tmp_path / "a.png", pasted, photo.icc_profile)
    again = read_photo((tmp_path / "a.png").read_bytes(), "it")
    np.testing.assert_array_equal(again.own, pasted[..., :3])
    assert np.abs(again.pixels[75:85, 65:75].astype(int) - (201, 36, 47)).max() <= 3
    if transparent:
        assert again.alpha is not None
        np.testing.assert_array_equal(again.alpha, alpha)
        assert np.abs(again.pixels[75:85, 52:58].astype(int) - (201, 36, 47)).max() <= 80  # its alpha is still 200
        assert (again.pixels[:, :50] == 255).all()


@pytest.mark.parametrize("transparent", [False, True])
def test_a_crop_alone_has_the_colours_of_the_whole(transparent: bool) -> None:
    smooth = np.asarray(Image.fromarray(patches()).resize((120, 160), Image.Resampling.BICUBIC))
    alpha = np.full((160, 120), 255, np.uint8)
    alpha[:80] = 0
    photo = Photo(in_space(smooth, P3), rgb_profile(P3), alpha if transparent else None)
    crop = Crop(-20, 30, 90, 120)
    alone = photo.taken(crop, 64, 48)
    whole = take_crop(photo.pixels, crop, 64, 48)
    assert np.abs(alone.astype(int) - whole).mean() < 1
    small = photo.smaller(80)
    assert (small.height, small.width) == (80, 60)
    assert small.space is None
    assert np.abs(small.pixels.astype(int) - take_crop(photo.pixels, Crop(0, 0, 120, 160), 80, 60)).mean() < 1.5
