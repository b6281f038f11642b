"""Photographs of a folder become pairs, the same whatever the number of processes; what cannot is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.data.drawn.dataset import synthesize
from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.presets.table import preset
from lite_vton_training.mix.backdrops import Backdrops
from lite_vton_training.mix.photographs import mended_pictures, varied_pictures
from lite_vton_training.mix.sources import garment_pictures, photo_pictures

TINY = preset("tiny")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("photographs") / "pairs", 3, seed=2, height=96, width=72, test_share=0.0)


@pytest.mark.slow
def test_each_photo_gives_its_variants_in_rounds_whatever_the_processes(folder: Path) -> None:
    photographs = VitonHD(folder, "train", height=TINY.height, width=TINY.width)
    told: list[int] = []
    one = varied_pictures(photographs, 2, seed=1, workers=1, progress=told.append)
    two = varied_pictures(photographs, 2, seed=1, workers=2)
    assert told == [2, 4, 6]
    assert len(one) == 6
    assert one.person.shape == (6, TINY.height, TINY.width, 3)
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("person", "masked_person", "mask"))
    assert not np.array_equal(one.person[0], one.person[3])  # the same photo, another variant


@pytest.mark.slow
def test_a_photo_without_its_parse_is_named(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "train/image-parse-v3/00001_00.png").unlink()
    with pytest.raises(UserError, match=r"00001_00\.png"):
        photo_pictures(broken, 1, 0, TINY)


def test_garments_are_the_middles_of_all_pictures_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "shirts").mkdir()
    wide = np.zeros((80, 200, 3), np.uint8)
    wide[:, 60:140] = 200
    Image.fromarray(wide).save(tmp_path / "shirts/a.png")
    Image.fromarray(np.full((88, 66, 3), 9, np.uint8)).save(tmp_path / "b.png")
    found = garment_pictures(Backdrops.within(tmp_path), 32, 24)
    assert found.shape == (2, 32, 24, 3)
    assert found[1].min() > 150  # the middle of the wide one


@pytest.mark.slow
def test_backdrops_show_behind_people_and_make_pairs_of_their_own(folder: Path) -> None:
    backdrops = Backdrops.within(folder / "train/cloth")
    photographs = VitonHD(folder, "train", height=TINY.height, width=TINY.width)
    plain, with_backdrops = (varied_pictures(photographs, 2, 1, given) for given in (None, backdrops))
    assert not np.array_equal(plain.person, with_backdrops.person)
    pairs = mended_pictures(backdrops, 2, 1, TINY.height, TINY.width)
    assert len(pairs) == 6
    outside = pairs.mask == 0
    assert np.array_equal(pairs.person[outside], pairs.masked_person[outside])
    assert (pairs.person[~outside] != pairs.masked_person[~outside]).any()
    assert not pairs.pose.any()


def test_no_garment_and_a_broken_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pictures"):
        Backdrops.within(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"a\.jpg"):
        garment_pictures(Backdrops.within(tmp_path), 32, 24)
