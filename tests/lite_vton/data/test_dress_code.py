from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lite_vton.data.dress_code import DressCode
from lite_vton.data.opening import open_pairs
from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.tryon.inputs import to_picture

# Someone upright, in COCO-18 order, in the 384x512 pixels that DressCode's keypoints are given in.
POINTS = [
    (192, 60), (192, 105), (140, 108), (130, 190), (125, 260), (244, 108), (254, 190), (259, 260),
    (160, 260), (158, 370), (156, 470), (224, 260), (226, 370), (228, 470), (182, 50), (202, 50), (165, 56), (219, 56),
]  # fmt: skip
RED, BLUE = (200, 30, 30), (30, 30, 200)


def _pose(points: list[tuple[int, int]]) -> str:
    return json.dumps({"keypoints": [[x, y, 0.9, number] for number, (x, y) in enumerate(points)]})


def _add_person(folder: Path, number: str, color: tuple[int, int, int]) -> None:
    person = Image.new("RGB", (768, 1024), (120, 160, 120))
    ImageDraw.Draw(person).rectangle((270, 200, 500, 540), fill=color)
    person.save(folder / "images" / f"{number}_0.jpg")
    cloth = Image.new("RGB", (768, 1024), "white")
    outline = [(250, 200), (330, 170), (440, 170), (520, 200), (660, 400), (570, 450), (520, 360)]
    outline += [(520, 850), (250, 850), (250, 360), (200, 450), (110, 400)]
    ImageDraw.Draw(cloth).polygon(outline, fill=color)
    cloth.save(folder / "images" / f"{number}_1.jpg")
    (folder / "keypoints" / f"{number}_2.json").write_text(_pose(POINTS))


@pytest.fixture
def dress_code(tmp_path: Path) -> Path:
    """Two people in an upper garment, two in a dress, two in trousers, as published but for what no reader needs."""
    for part, first in (("upper_body", 100), ("dresses", 200), ("lower_body", 300)):
        folder = tmp_path / part
        (folder / "images").mkdir(parents=True)
        (folder / "keypoints").mkdir()
        one, two = f"{first:06}", f"{first + 1:06}"
        _add_person(folder, one, RED)
        _add_person(folder, two, BLUE)
        paired = f"{one}_0.jpg\t{one}_1.jpg\n{two}_0.jpg\t{two}_1.jpg\n"
        (folder / "train_pairs.txt").write_text(paired)
        (folder / "test_pairs_paired.txt").write_text(paired)
        (folder / "test_pairs_unpaired.txt").write_text(f"{one}_0.jpg\t{two}_1.jpg\n{two}_0.jpg\t{one}_1.jpg\n")
    return tmp_path


@pytest.mark.slow
def test_upper_bodies_and_dresses_are_read_like_any_dataset(dress_code: Path) -> None:
    samples = DressCode(dress_code, "test", height=128, width=96)
    assert [(sample.name, sample.cloth_name, sample.category) for sample in samples] == [
        ("000100_0.jpg", "000100_1.jpg", "upper"),
        ("000101_0.jpg", "000101_1.jpg", "upper"),
        ("000200_0.jpg", "000200_1.jpg", "dress"),
        ("000201_0.jpg", "000201_1.jpg", "dress"),
    ]
    upper, dress = samples[0], samples[2]
    for sample in (upper, dress):
        assert sample.inputs.masked_person.shape == (1, 3, 128, 96)
        assert sample.garment.shape == (1024, 768, 3)
        chest = to_picture(sample.inputs.masked_person)[45, 48]
        assert np.abs(chest.astype(int) - RED).max() < 12, "the chest shows the garment"
    assert dress.inputs.mask[0, 0, 85].max() == 1 > upper.inputs.mask[0, 0, 85].max(), "a dress reaches the knees"


def test_keypoints_are_scaled_from_the_size_they_were_found_in(dress_code: Path) -> None:
    pose = to_picture(DressCode(dress_code, "test", height=128, width=96)[0].inputs.pose)
    x, y = np.rint(np.array(POINTS[3]) / 4).astype(int)
    assert pose[y - 2 : y + 3, x - 2 : x + 3].max() > 100
    assert pose[:, -20:].max() == 0


def test_a_joint_nobody_saw_is_not_drawn(dress_code: Path) -> None:
    unseen = [(-1, -1) if number in (4, 7) else point for number, point in enumerate(POINTS)]
    (dress_code / "upper_body/keypoints/000100_2.json").write_text(_pose(unseen))
    keypoints = DressCode(dress_code, "test", height=128, width=96).truth(0).keypoints
    assert np.flatnonzero(~keypoints.visible).tolist() == [4, 7]


def test_unpaired_puts_the_listed_garment_on_the_person(dress_code: Path) -> None:
    sample = DressCode(dress_code, "test", paired=False, height=128, width=96, categories=["dresses"])[0]
    assert (sample.name, sample.cloth_name) == ("000200_0.jpg", "000201_1.jpg")
    blue = to_picture(sample.inputs.masked_person)[45, 48]
    assert blue[2] > 180 > 60 > blue[0]


def test_a_garment_mask_that_somebody_added_is_used(dress_code: Path) -> None:
    samples = DressCode(dress_code, "test", height=128, width=96, categories=["upper_body"])
    without = samples[0].warped_mask.sum()
    folder = dress_code / "upper_body/cloth_mask"
    folder.mkdir()
    mask = Image.new("L", (768, 1024), 0)
    ImageDraw.Draw(mask).rectangle((250, 200, 520, 500), fill=255)
    mask.save(folder / "000100_1.png")
    assert 0 < samples[0].warped_mask.sum() < 0.9 * without, "the sleeves are gone"


def test_lower_bodies_are_refused_when_asked_for_and_left_out_otherwise(dress_code: Path) -> None:
    assert {pair.part for pair in DressCode(dress_code).pairs} == {"upper_body", "dresses"}
    with pytest.raises(UserError, match="lower_body cannot be dressed yet"):
        DressCode(dress_code, categories=["lower_body"])
    (dress_code / "upper_body").rename(dress_code / "a")
    (dress_code / "dresses").rename(dress_code / "b")
    with pytest.raises(UserError, match="lower_body cannot be dressed yet"):
        DressCode(dress_code)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("no root", "no dataset at"),
        ("no list", r"cannot read .*upper_body/test_pairs_paired\.txt"),
        ("empty list", "lists no pairs"),
        ("no keypoints", "upper_body lacks keypoints"),
        ("unknown category", "no DressCode category 'hats'"),
        ("absent category", "holds no dresses"),
        ("no pairs to train on", "lists no unpaired pairs to train on"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_at_once(dress_code: Path, broken: str, message: str) -> None:
    root, split, paired, categories = dress_code, "test", True, None
    if broken == "no root":
        root = dress_code / "nowhere"
    elif broken == "no list":
        (dress_code / "upper_body/test_pairs_paired.txt").unlink()
    elif broken == "empty list":
        (dress_code / "dresses/test_pairs_paired.txt").write_text("")
    elif broken == "no keypoints":
        (dress_code / "upper_body/keypoints").rename(dress_code / "upper_body/poses")
    elif broken == "unknown category":
        categories = ["hats"]
    elif broken == "absent category":
        (dress_code / "dresses").rename(dress_code / "gowns")
        categories = ["dresses"]
    else:
        split, paired = "train", False
    with pytest.raises(UserError, match=message) as caught:
        DressCode(root, split, paired, categories=categories)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not DressCode's pose"),
        ('{"people": []}', "is not DressCode's pose"),
        (_pose(POINTS[:17]), "18 rows of finite numbers"),
        (_pose([(0, 0)] * 18), "show no shoulders"),
        (None, r"000101_2\.json is missing"),
    ],
)
def test_a_broken_pose_is_named_when_its_sample_is_read(dress_code: Path, content: str | None, message: str) -> None:
    file = dress_code / "upper_body/keypoints/000101_2.json"
    file.unlink()
    if content is not None:
        file.write_text(content)
    samples = DressCode(dress_code, "test", height=64, width=48, categories=["upper_body"])
    assert samples.truth(0).name == "000100_0.jpg"
    with pytest.raises(UserError, match=message):
        samples.truth(1)
    sound, faults = samples.without_broken()
    assert [pair.person for pair in sound.pairs] == ["000100_0.jpg"]
    assert len(faults) == 1


def test_a_folder_is_known_by_its_layout(dress_code: Path, tmp_path: Path) -> None:
    found = open_pairs(dress_code, "test", category="dresses")
    assert isinstance(found, DressCode)
    assert {pair.part for pair in found.pairs} == {"dresses"}
    other = tmp_path / "viton"
    for folder in ("image", "cloth", "cloth-mask", "agnostic-mask", "openpose_json"):
        (other / "test" / folder).mkdir(parents=True)
    (other / "test_pairs.txt").write_text("a.jpg b.jpg\n")
    assert isinstance(open_pairs(other, "test"), VitonHD)
    with pytest.raises(UserError, match="has no category 'dresses'"):
        open_pairs(other, "test", category="dresses")


@pytest.mark.slow
def test_a_model_can_be_trained_on_it(dress_code: Path, tmp_path: Path) -> None:
    from lite_vton.cli import main

    run = tmp_path / "run"
    words = ["train", "tiny", "--data", str(dress_code), "-o", str(run), "--steps", "1", "--batch-size", "2"]
    assert main(words) == 0
    assert (run / "unet.safetensors").is_file()


def test_a_list_with_the_garment_first_is_read_right(dress_code: Path) -> None:
    before = DressCode(dress_code, "test", paired=False, categories=["upper_body"])
    (dress_code / "upper_body/test_pairs_unpaired.txt").write_text(
        "000101_1.jpg\t000100_0.jpg\r\n000100_1.jpg\t000101_0.jpg\r\n"
    )
    after = DressCode(dress_code, "test", paired=False, categories=["upper_body"])
    assert after.pairs == before.pairs


def test_pictures_with_another_suffix_than_listed_are_found(dress_code: Path) -> None:
    images = dress_code / "upper_body/images"
    for file in list(images.glob("000100_*.jpg")):
        Image.open(file).save(file.with_suffix(".png"))
        file.unlink()
    assert DressCode(dress_code, "test", height=64, width=48)[0].name == "000100_0.jpg"


@pytest.mark.parametrize(
    ("scale", "says"),
    [(4, "outside the 384x512 photo"), (1 / 512, r"in 0\.\.1"), (0.5, "2 times smaller")],
)
def test_keypoints_of_another_size_are_refused(dress_code: Path, scale: float, says: str) -> None:
    folder = dress_code / "upper_body"
    labels = np.zeros((1024, 768), np.uint8)
    labels[200:540, 240:530] = 4
    labels[60:200, 320:450] = 11
    (folder / "label_maps").mkdir()
    Image.fromarray(labels).save(folder / "label_maps/000100_4.png")
    file = folder / "keypoints/000100_2.json"
    samples = DressCode(dress_code, "test", height=64, width=48)
    assert samples.truth(0).mask.any()
    file.write_text("\ufeff" + _pose([(scale * x, scale * y) for x, y in POINTS]), encoding="utf-8")  # type: ignore[misc]
    with pytest.raises(UserError, match=says):
        samples.truth(0)
