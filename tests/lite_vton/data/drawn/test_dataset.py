from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.data.drawn.dataset import synthesize
from lite_vton.data.layout import FOLDERS
from lite_vton.errors import UserError
from lite_vton.person.keypoints import Joint, read_keypoints
from lite_vton.person.parse_labels import Part

pytestmark = pytest.mark.slow

PAIRS, TEST = 10, 4


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("drawn") / "data", PAIRS, seed=3, test_share=TEST / PAIRS)


def _hashes(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _parse(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_folder_and_file_names_are_viton_hds(drawn: Path) -> None:
    assert {path.name for path in drawn.iterdir()} == {"train", "test", "train_pairs.txt", "test_pairs.txt"}
    for split, indices in (("train", range(PAIRS - TEST)), ("test", range(PAIRS - TEST, PAIRS))):
        assert {path.name for path in (drawn / split).iterdir()} == {folder for folder, _ in FOLDERS.values()}
        for folder, ending in FOLDERS.values():
            names = {path.name for path in (drawn / split / folder).iterdir()}
            assert names == {f"{index:05d}_00{ending}" for index in indices}


def test_pictures_have_the_formats_readers_of_viton_hd_expect(drawn: Path) -> None:
    with Image.open(drawn / "train/image/00000_00.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (192, 256))
        luma, chroma, *_ = image.layer  # type: ignore[attr-defined]  # of JPEG files alone
        assert luma[1:3] == chroma[1:3], "chroma is not halved"
    with Image.open(drawn / "train/cloth-mask/00000_00.jpg") as image:
        assert (image.format, image.mode) == ("JPEG", "L")
    for folder in ("image-parse-v3", "image-parse-agnostic-v3.2"):
        with Image.open(drawn / "train" / folder / "00000_00.png") as image:
            assert image.mode == "P"
            assert image.getpalette()[15:18] == [254, 85, 0], "label 5 is shown as in the published parses"
            assert set(np.unique(np.asarray(image))) <= set(Part)


def test_train_is_paired_and_test_is_not(drawn: Path) -> None:
    train = [line.split() for line in (drawn / "train_pairs.txt").read_text().splitlines()]
    assert train == [[f"{i:05d}_00.jpg"] * 2 for i in range(PAIRS - TEST)]
    test = [line.split() for line in (drawn / "test_pairs.txt").read_text().splitlines()]
    persons, cloths = zip(*test, strict=True)
    assert sorted(persons) == sorted(cloths)
    assert any(person != cloth for person, cloth in test)


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_workers(drawn: Path, tmp_path: Path) -> None:
    again = synthesize(tmp_path / "again", PAIRS, seed=3, test_share=TEST / PAIRS, workers=2)
    assert _hashes(again) == _hashes(drawn)


def test_a_pair_depends_on_neither_the_number_of_pairs_nor_the_split(drawn: Path, tmp_path: Path) -> None:
    fewer = _hashes(synthesize(tmp_path / "fewer", 2, seed=3, test_share=0))
    whole = _hashes(drawn)
    assert all(whole[name] == value for name, value in fewer.items() if "00000_00" in name or "00001_00" in name)


def test_another_seed_gives_other_people_and_garments(drawn: Path, tmp_path: Path) -> None:
    other = _hashes(synthesize(tmp_path / "other", 1, seed=4, test_share=0))
    whole = _hashes(drawn)
    for name in ("train/image/00000_00.jpg", "train/cloth/00000_00.jpg"):
        assert other[name] != whole[name]


def test_worn_garments_lie_within_the_repaint_mask_except_around_spared_hands(drawn: Path) -> None:
    import cv2

    inside = total = 0
    for path in sorted(drawn.glob("*/image-parse-v3/*.png")):
        parse = _parse(path)
        mask = np.asarray(Image.open(path.parents[1] / "agnostic-mask" / f"{path.stem}_mask.png")) > 127
        arms = np.isin(parse, (Part.LEFT_ARM, Part.RIGHT_ARM)).astype(np.uint8)
        near_arms = cv2.dilate(arms, np.ones((13, 13), np.uint8)) > 0
        garment = np.isin(parse, (Part.UPPER_CLOTHES, Part.DRESS)) & ~near_arms
        assert (garment & mask).sum() / garment.sum() > 0.97, path.stem
        inside, total = inside + (garment & mask).sum(), total + garment.sum()
    assert inside / total > 0.995


def test_keypoints_lie_on_the_parts_they_name(drawn: Path) -> None:
    hits, seen = 0, 0
    clothes = (Part.UPPER_CLOTHES, Part.DRESS)
    expected = {
        Joint.NOSE: (Part.FACE,),
        Joint.R_EYE: (Part.FACE, Part.HAIR),
        Joint.L_EYE: (Part.FACE, Part.HAIR),
        Joint.R_ELBOW: (Part.RIGHT_ARM, *clothes),
        Joint.L_ELBOW: (Part.LEFT_ARM, *clothes),
        Joint.R_WRIST: (Part.RIGHT_ARM, Part.LEFT_ARM, *clothes),
        Joint.L_WRIST: (Part.LEFT_ARM, Part.RIGHT_ARM, *clothes),
        Joint.R_SHOULDER: (Part.RIGHT_ARM, Part.TORSO_SKIN, Part.HAIR, *clothes),
        Joint.L_SHOULDER: (Part.LEFT_ARM, Part.TORSO_SKIN, Part.HAIR, *clothes),
    }
    for path in sorted(drawn.glob("*/openpose_json/*.json")):
        keypoints = read_keypoints(path)
        parse = _parse(path.parents[1] / "image-parse-v3" / f"{path.stem.removesuffix('_keypoints')}.png")
        for joint, parts in expected.items():
            if keypoints.sees(joint):
                x, y = keypoints.points[joint].astype(int)
                seen += 1
                hits += parse[y, x] in parts
    assert seen > 6 * PAIRS
    assert hits == seen


def test_the_agnostic_picture_is_the_person_outside_the_mask(drawn: Path) -> None:
    person = np.asarray(Image.open(drawn / "train/image/00001_00.jpg"), np.int16)
    agnostic = np.asarray(Image.open(drawn / "train/agnostic-v3.2/00001_00.jpg"), np.int16)
    mask = np.asarray(Image.open(drawn / "train/agnostic-mask/00001_00_mask.png")) > 127
    assert np.abs(agnostic - person)[~mask].mean() < 4
    assert np.abs(agnostic - 128)[mask].mean() < 4
    assert not _parse(drawn / "train/image-parse-agnostic-v3.2/00001_00.png")[mask].any()


def test_the_cloth_mask_marks_what_differs_from_the_shops_paper(drawn: Path) -> None:
    for index in range(PAIRS - TEST):
        mask = np.asarray(Image.open(drawn / f"train/cloth-mask/{index:05d}_00.jpg"))
        cloth = np.asarray(Image.open(drawn / f"train/cloth/{index:05d}_00.jpg"))
        assert 0.08 < (mask > 127).mean() < 0.75
        assert not (mask > 127)[[0, -1]].any()
        assert cloth[:4].min() > 220


def test_other_sizes_show_the_same_scene(tmp_path: Path) -> None:
    small = synthesize(tmp_path / "small", 1, seed=5, height=64, width=48, test_share=0)
    large = synthesize(tmp_path / "large", 1, seed=5, height=512, width=384, test_share=0)
    a = np.asarray(Image.open(small / "train/image/00000_00.jpg"), np.float32)
    with Image.open(large / "train/image/00000_00.jpg") as image:
        b = np.asarray(image.resize((48, 64), Image.Resampling.BOX), np.float32)
    assert a.shape == b.shape
    assert np.abs(a - b).mean() < 8


def test_progress_reaches_the_number_of_pairs(tmp_path: Path) -> None:
    seen: list[int] = []
    synthesize(tmp_path / "data", 9, seed=0, height=64, width=48, progress=seen.append)
    assert seen == [8, 9]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path / "data", 1, seed=0, height=64, width=48, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_overwrite_keeps_the_old_dataset(tmp_path: Path) -> None:
    old = synthesize(tmp_path / "data", 1, seed=0, height=64, width=48)
    before = _hashes(old)

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(old, 1, seed=1, height=64, width=48, overwrite=True, progress=interrupt)
    assert _hashes(old) == before
    assert list(tmp_path.iterdir()) == [old]


def test_overwriting_replaces_the_whole_folder(tmp_path: Path) -> None:
    folder = synthesize(tmp_path / "data", 1, height=64, width=48)
    (folder / "old.txt").write_text("old")
    with pytest.raises(UserError, match="not empty"):
        synthesize(folder, 1, height=64, width=48)
    synthesize(folder, 1, height=64, width=48, overwrite=True)
    assert not (folder / "old.txt").exists()
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_that_was_not_drawn_here_is_never_overwritten(tmp_path: Path) -> None:
    theirs = synthesize(tmp_path / "data", 1, height=64, width=48)
    for parse in theirs.glob("*/image-parse-v3/*.png"):
        with Image.open(parse) as image:
            image.save(parse)  # without the mark
    before = _hashes(theirs)
    with pytest.raises(UserError, match="holds something else"):
        synthesize(theirs, 1, seed=1, height=64, width=48, overwrite=True)
    assert _hashes(theirs) == before
    assert list(tmp_path.iterdir()) == [theirs]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": 0}, "at least one"),
        ({"seed": -1}, "negative"),
        ({"height": 60}, "multiples of 8"),
        ({"width": 8}, "multiples of 8"),
        ({"test_share": 1.5}, "share"),
        ({"workers": 0}, "workers"),
    ],
)
def test_senseless_requests_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, float], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        synthesize(tmp_path / "data", **{"pairs": 1, **options})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        synthesize(path, 1)
