"""One photo, cut out or dropped."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lite_vton.data.conversion.outcome import DroppedError
from lite_vton.data.garments.classes import CLASSES, OTHER
from lite_vton.data.garments.cutting import cut_garment


@pytest.mark.slow
def test_a_huge_photo_is_cut_out_as_a_small_one_is(source: Path, tmp_path: Path) -> None:
    small = Image.open(source / "t-shirt/0001.jpg")
    small.resize((small.width * 8, small.height * 8)).save(tmp_path / "huge.jpg")
    huge = cut_garment(tmp_path / "huge.jpg", CLASSES["t-shirt"])
    assert max(huge.cutout.mask.shape) <= 1024
    assert huge.measures.hem == pytest.approx(
        cut_garment(source / "t-shirt/0001.jpg", CLASSES["t-shirt"]).measures.hem, abs=0.05
    )


def test_one_of_too_many_pixels_is_not_even_decoded(tmp_path: Path) -> None:
    Image.new("L", (8000, 8000)).save(tmp_path / "giant.png")
    with pytest.raises(DroppedError, match="megapixels") as dropped:
        cut_garment(tmp_path / "giant.png", OTHER)
    assert dropped.value.reason == "not a usable picture"
    assert str(tmp_path) not in str(dropped.value)


def test_transparency_is_taken_for_the_background(tmp_path: Path) -> None:
    from lite_vton.data.drawn.pair import draw_pair

    pair = draw_pair(11, 8, 320, 240)
    Image.fromarray(np.dstack([pair.cloth, pair.cloth_mask])).save(tmp_path / "cut.png")
    cutout = cut_garment(tmp_path / "cut.png", CLASSES["t-shirt"]).cutout
    assert (cutout.mask > 0.5).sum() == (pair.cloth_mask > 127).sum()


def test_a_file_that_is_gone_is_dropped(tmp_path: Path) -> None:
    with pytest.raises(DroppedError, match=r"cannot read gone\.jpg"):
        cut_garment(tmp_path / "gone.jpg", OTHER)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.integers(20, 160), st.integers(20, 160), st.integers(0, 2**32 - 1),
    st.sampled_from(["noise", "flat", "stripes", "blocks"]), st.sampled_from(["L", "RGB", "RGBA", "P", "CMYK"]),
)  # fmt: skip
def test_odd_pictures_are_dropped_or_cut_out_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, seed: int, what: str, mode: str
) -> None:
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    if what == "noise":
        picture = rng.integers(0, 256, picture.shape).astype(np.uint8)
    if what == "stripes":
        picture[:: int(rng.integers(2, 9))] = rng.integers(0, 256, 3)
    if what == "blocks":
        for _ in range(5):
            y, x = rng.integers(height), rng.integers(width)
            picture[y : y + int(rng.integers(1, height)), x : x + int(rng.integers(1, width))] = rng.integers(0, 256, 3)
    path = tmp_path_factory.mktemp("odd") / "odd.tif"
    Image.fromarray(picture).convert(mode).save(path)
    with suppress(DroppedError):
        assert cut_garment(path, OTHER).cutout.mask.max() > 0.5
