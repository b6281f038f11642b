"""Photos in, photos out."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lite_vton.errors import UserError
from lite_vton.person.framing import torso_crop, worn_crop
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.photo.crop import Crop, paste_back, paste_mask, take_crop
from lite_vton.photo.files import load_mask, load_photo, read_mask, save_photo

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@QUICK
@given(
    height=st.integers(64, 150),
    width=st.integers(64, 150),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"]),
)
def test_any_size_and_mode_becomes_8_bit_rgb(tmp_path: Path, height: int, width: int, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((height, width), 40000, np.uint16))
    else:
        image = Image.fromarray(noise(height, width)).convert(mode)
    path = tmp_path / "photo.tiff"
    image.save(path)
    photo = load_photo(path)
    assert photo.pixels.shape == (height, width, 3)
    assert photo.pixels.dtype == np.uint8
    assert (photo.height, photo.width) == (height, width)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.full((80, 80), 128 * 257, np.uint16)).save(tmp_path / "grey.png")
    assert np.all(load_photo(tmp_path / "grey.png").pixels == 128)


def test_cmyk_keeps_its_colour_and_drops_its_ink_profile(tmp_path: Path) -> None:
    Image.new("RGB", (80, 80), (255, 0, 0)).convert("CMYK").save(
        tmp_path / "red.jpg", quality=95, icc_profile=b"some ink profile"
    )
    photo = load_photo(tmp_path / "red.jpg")
    assert np.abs(photo.pixels.astype(int) - (255, 0, 0)).max() < 12
    assert photo.icc_profile is None


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((70, 100, 3), np.uint8)
    pixels[:, :50] = 255
    exif = Image.Exif()
    exif[274] = 6  # turn clockwise to see it upright
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(load_photo(tmp_path / "turned.png").pixels, np.rot90(pixels, -1))


def test_transparency_is_white_and_kept_as_alpha(tmp_path: Path) -> None:
    pixels = np.zeros((80, 90, 4), np.uint8)
    pixels[20:40, 20:40] = (10, 20, 30, 255)
    Image.fromarray(pixels).save(tmp_path / "garment.png")
    photo = load_photo(tmp_path / "garment.png")
    assert tuple(photo.pixels[0, 0]) == (255, 255, 255)
    assert tuple(photo.pixels[30, 30]) == (10, 20, 30)
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, pixels[..., 3])


def test_an_opaque_alpha_channel_is_no_alpha(tmp_path: Path) -> None:
    Image.fromarray(noise(70, 70)).convert("RGBA").save(tmp_path / "opaque.png")
    assert load_photo(tmp_path / "opaque.png").alpha is None


def painted(mode: str) -> Image.Image:
    """The left half marked, in one of the ways that people paint masks; what is not marked may be white below."""
    marked = np.zeros((80, 100), bool)
    marked[:, :50] = True
    rgba = np.where(marked[..., None], np.uint8([255, 255, 255, 255]), np.uint8([255, 255, 255, 0])).astype(np.uint8)
    grey = Image.fromarray(np.where(marked, 255, 0).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray(np.where(marked, 65535, 0).astype(np.uint16))
    if mode == "red":
        return Image.merge("RGB", (grey, Image.new("L", grey.size), Image.new("L", grey.size)))
    if mode in ("RGBA", "LA", "PA"):
        return Image.fromarray(rgba).convert(mode)
    return grey.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "red", "RGBA", "LA", "I;16"])
def test_a_mask_is_what_is_painted_bright_and_not_what_is_transparent(tmp_path: Path, mode: str) -> None:
    painted(mode).save(tmp_path / "mask.png")
    mask = load_mask(tmp_path / "mask.png")
    assert mask.shape == (80, 100)
    assert mask.dtype == np.uint8
    assert (mask[:, :50] == 255).all()
    assert not mask[:, 50:].any()
    np.testing.assert_array_equal(read_mask((tmp_path / "mask.png").read_bytes(), "the mask"), mask)


def test_a_mask_half_transparent_is_half_marked(tmp_path: Path) -> None:
    Image.new("LA", (80, 80), (200, 128)).save(tmp_path / "mask.png")
    assert (load_mask(tmp_path / "mask.png") == 200 * 128 // 255).all()


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([200 * rows // height, 200 * columns // width, 100 + 0 * rows], axis=2).astype(np.uint8)


@pytest.mark.slow
@QUICK
@given(left=st.integers(-400, 400), top=st.integers(-400, 400), unit=st.integers(300, 450))
def test_a_large_crop_shows_what_a_small_one_would(left: int, top: int, unit: int) -> None:
    """A large one is reduced before the photo's edge is repeated."""
    pixels, crop = smooth(900, 1000), Crop(left, top, 3 * unit, 4 * unit)
    rows = np.clip(top + (np.arange(64) + 0.5) * crop.height / 64, 0, 899).astype(int)
    columns = np.clip(left + (np.arange(48) + 0.5) * crop.width / 48, 0, 999).astype(int)
    expected = pixels[rows[:, None], columns].astype(int)
    assert np.abs(take_crop(pixels, crop, 64, 48) - expected).max() <= 3


def encoded(size: tuple[int, int], kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(noise(size[1], size[0])).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"this is no picture at all", "not an image"),
        (encoded((200, 200))[:2000], "damaged"),
        (encoded((200, 200), "JPEG")[:2000], "damaged"),
        (encoded((1, 1)), "at least 64"),
        (encoded((63, 300)), "at least 64"),
    ],
)
def test_unusable_files_say_what_to_do_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=says) as caught:
        load_photo(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_or_a_folder_is_a_user_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(UserError, match="cannot read"):
            load_photo(path)


def test_too_many_megapixels_are_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    # Only a header, without pixel data: decoding it would say "damaged".
    for side in (9_000, 30_000):
        header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", len(header) - 4) + header + struct.pack(">I", zlib.crc32(header))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", 0))
        with pytest.raises(UserError, match="megapixels"):
            load_photo(path)
    small = tmp_path / "small.png"
    Image.new("RGB", (200, 200)).save(small)
    with pytest.raises(UserError, match=r"over 0\.01 megapixels"):
        load_photo(small, max_megapixels=0.01)


def test_png_comes_back_bit_for_bit_with_its_profile(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = noise(70, 80)
    save_photo(tmp_path / "out.png", pixels, profile)
    photo = load_photo(tmp_path / "out.png")
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.icc_profile == profile


def test_saving_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.jpg", noise(70, 70))
    save_photo(tmp_path / "a.jpg", np.full((70, 70, 3), 200, np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
    assert np.abs(load_photo(tmp_path / "a.jpg").pixels.astype(int) - 200).max() <= 1


def test_a_failed_save_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        save_photo(path, np.zeros((4, 4, 7, 2), np.uint8))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == b"old"


def test_an_unknown_suffix_or_folder_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.png, \.jpg"):
        save_photo(tmp_path / "a.webm", noise(64, 64))
    with pytest.raises(UserError, match="cannot save"):
        save_photo(tmp_path / "no" / "a.png", noise(64, 64))


crops = st.builds(Crop, st.integers(-90, 90), st.integers(-90, 90), st.integers(1, 150), st.integers(1, 150))


@QUICK
@given(crop=crops, height=st.integers(1, 60), width=st.integers(1, 60))
def test_a_crop_has_the_size_asked_for_wherever_it_lies(crop: Crop, height: int, width: int) -> None:
    assert take_crop(noise(64, 70), crop, height, width).shape == (height, width, 3)


def test_a_crop_at_its_own_size_is_exact_and_repeats_the_edge() -> None:
    pixels = noise(64, 70)
    part = take_crop(pixels, Crop(-3, 5, 20, 10), 10, 20)
    np.testing.assert_array_equal(part[:, 3:], pixels[5:15, :17])
    np.testing.assert_array_equal(part[:, :3], np.repeat(pixels[5:15, :1], 3, axis=1))


@QUICK
@given(crop=crops, seed=st.integers(0, 5), fill=st.floats(0, 1))
def test_pasting_back_leaves_every_pixel_outside_the_mask_alone(crop: Crop, seed: int, fill: float) -> None:
    photo, result = noise(64, 70, seed), noise(32, 24, seed + 10)
    mask = (np.random.default_rng(seed).random((32, 24)) < fill).astype(np.float32)
    alpha = paste_mask(mask, crop, 64, 70)
    pasted = paste_back(photo, crop, result, mask)
    assert alpha.shape == (64, 70)
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert pasted.shape == photo.shape
    np.testing.assert_array_equal(pasted[alpha == 0], photo[alpha == 0])
    outside = np.ones((64, 70), bool)
    outside[max(0, crop.top) : max(0, crop.top + crop.height), max(0, crop.left) : max(0, crop.left + crop.width)] = (
        False
    )
    assert not alpha[outside].any()


def test_inside_the_mask_the_result_shows_and_the_border_is_feathered() -> None:
    photo, result = np.zeros((200, 160, 3), np.uint8), np.full((100, 75, 3), 255, np.uint8)
    mask = np.zeros((100, 75), np.float32)
    mask[20:80, 20:60] = 1
    pasted = paste_back(photo, Crop(5, 0, 150, 200), result, mask)
    assert tuple(pasted[100, 80]) == (255, 255, 255)
    assert len(np.unique(pasted)) > 2
    assert not pasted[:35].any()


def standing(scale: float = 1.0, dx: float = 0.0) -> Keypoints:
    points = np.array([
        (50, 20), (50, 40), (32, 41), (28, 68), (26, 92), (68, 41), (72, 68), (74, 92), (40, 92),
        (40, 130), (40, 165), (60, 92), (60, 130), (60, 165), (46, 16), (54, 16), (41, 19), (59, 19),
    ], np.float32)  # fmt: skip
    return Keypoints(points * np.float32(scale) + np.array([dx, 0], np.float32), np.ones(18, np.float32))


def test_the_torso_crop_is_3_to_4_and_holds_head_torso_and_arms() -> None:
    crop = torso_crop(standing(), 180, 100)
    assert crop.width * 4 == crop.height * 3
    assert crop.left < 26
    assert crop.left + crop.width > 74
    assert crop.top < 12
    assert 100 < crop.top + crop.height < 150


@QUICK
@given(scale=st.floats(0.5, 3), dx=st.floats(-20, 60))
def test_the_torso_crop_follows_the_person(scale: float, dx: float) -> None:
    plain, moved = torso_crop(standing(), 400, 400), torso_crop(standing(scale, dx), 400, 400)
    assert moved.width == pytest.approx(plain.width * scale, abs=4)
    assert moved.left == pytest.approx(plain.left * scale + dx, abs=4)


def test_keypoints_of_another_picture_are_refused() -> None:
    with pytest.raises(UserError, match="outside"):
        torso_crop(standing(dx=5000), 180, 100)
    with pytest.raises(UserError, match="larger than"):
        torso_crop(standing(scale=40, dx=-1990), 1000, 100)


def test_a_lower_garment_s_crop_is_3_to_4_and_goes_from_the_waist_to_the_feet() -> None:
    crop = worn_crop(standing(), 200, 100, "lower")
    assert crop.width * 4 == crop.height * 3
    assert 50 < crop.top < 85
    assert 168 < crop.top + crop.height < 195
    assert crop.left < 32
    assert crop.left + crop.width > 68
    assert worn_crop(standing(), 200, 100, "upper") == torso_crop(standing(), 200, 100)


def test_a_dress_s_crop_goes_on_to_below_the_knees_that_are_seen() -> None:
    torso, dress = torso_crop(standing(), 200, 100), worn_crop(standing(), 200, 100, "dress")
    assert dress.width * 4 == pytest.approx(dress.height * 3)
    assert dress.top == pytest.approx(torso.top, abs=2)
    assert torso.top + torso.height < 130
    assert 135 < dress.top + dress.height < 165
    confidence = np.ones(18, np.float32)
    confidence[[Joint.R_KNEE, Joint.L_KNEE]] = 0
    unseen = Keypoints(standing().points, confidence)
    assert worn_crop(unseen, 200, 100, "dress") == torso_crop(unseen, 200, 100)


def test_legs_cut_off_by_the_photo_end_with_it() -> None:
    whole = standing()
    confidence = whole.confidence.copy()
    confidence[[Joint.R_ANKLE, Joint.L_ANKLE]] = 0
    crop = worn_crop(Keypoints(whole.points, confidence), 145, 100, "lower")
    assert 130 < crop.top + crop.height < 155
    confidence[[Joint.R_KNEE, Joint.L_KNEE]] = 0
    with pytest.raises(UserError, match="no knees"):
        worn_crop(Keypoints(whole.points, confidence), 145, 100, "lower")
