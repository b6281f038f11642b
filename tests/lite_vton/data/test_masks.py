"""Two ways to say what is repainted: the plain mask shows what was worn, the improved one hides it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lite_vton.data.drawn.dataset import synthesize
from lite_vton.data.dress_code import DressCode
from lite_vton.data.opening import open_pairs
from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.mask.plain import plain_mask
from lite_vton.person.keypoints import Joint
from lite_vton.person.parse import read_parse
from lite_vton.person.parse_labels import GARMENT, Part

Mask = NDArray[np.bool_]

RIM = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("data") / "drawn", 8, seed=5, test_share=0)


def parse_of(drawn: Path, name: str) -> NDArray[np.uint8]:
    return read_parse(drawn / "train/image-parse-v3" / Path(name).with_suffix(".png"))


def masks(drawn: Path) -> list[tuple[NDArray[np.uint8], Mask, Mask]]:
    """Parse, plain and improved mask of each person."""
    plain, improved = (VitonHD(drawn, mask=kind) for kind in ("plain", "improved"))  # type: ignore[arg-type]
    return [
        (parse_of(drawn, pair.person), plain.truth(i).mask > 0.5, improved.truth(i).mask > 0.5)
        for i, pair in enumerate(plain.pairs)
    ]


def overlap(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.slow
def test_the_plain_mask_gives_the_old_garments_outline_away(drawn: Path) -> None:
    for parse, plain, improved in masks(drawn):
        garment = np.isin(parse, GARMENT)
        rim = cv2.dilate(garment.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        assert (plain | ~garment).all(), "all of the garment is repainted"
        assert (rim | ~plain).all(), "and nothing beyond three pixels from it"
        # Taking the rim off again leaves the garment itself; of the improved mask it leaves something else.
        shown, hidden = (cv2.erode(mask.astype(np.uint8), RIM) > 0 for mask in (plain, improved))
        assert overlap(shown, garment) > 0.95 > overlap(hidden, garment)


def test_the_improved_mask_covers_the_outline_where_another_garment_could_be(drawn: Path) -> None:
    """Bare arms are the clearest: a short sleeve's end shows in the plain mask, and in the improved one does not."""
    covered = []
    for parse, plain, improved in masks(drawn):
        assert (improved | ~np.isin(parse, GARMENT)).all()
        arms = np.isin(parse, (Part.LEFT_ARM, Part.RIGHT_ARM)) & ~plain
        if arms.sum() > 200:
            covered.append(float(improved[arms].mean()))
    assert covered
    assert np.mean(covered) > 0.4


def test_neither_mask_touches_hands_hair_or_face(drawn: Path) -> None:
    readers = [VitonHD(drawn, mask=kind) for kind in ("plain", "improved")]  # type: ignore[arg-type]
    hands = 0
    for index, pair in enumerate(readers[0].pairs):
        parse = parse_of(drawn, pair.person)
        head = np.isin(parse, (Part.HAIR, Part.FACE)).astype(np.uint8)
        inner = cv2.erode(head, np.ones((9, 9), np.uint8)) > 0
        for reader in readers:
            truth = reader.truth(index)
            assert not truth.mask[inner].any()
            points = truth.keypoints.points
            for elbow, wrist in ((Joint.R_ELBOW, Joint.R_WRIST), (Joint.L_ELBOW, Joint.L_WRIST)):
                # The middle of the hand; where it shows, and not just before the garment.
                x, y = np.rint(points[wrist] + 0.35 * (points[wrist] - points[elbow])).astype(int)
                around = parse[max(0, y - 6) : y + 7, max(0, x - 6) : x + 7]
                if 0 <= y < 256 and 0 <= x < 192 and parse[y, x] in (Part.LEFT_ARM, Part.RIGHT_ARM):
                    if np.isin(around, GARMENT).any():
                        continue
                    hands += 1
                    assert truth.mask[y, x] == 0
    assert hands > 4


def test_the_warp_is_pasted_into_the_mask_that_is_asked_for(drawn: Path) -> None:
    for kind in ("plain", "improved"):
        sample = open_pairs(drawn, height=64, width=48, mask=kind)[0]  # type: ignore[arg-type]
        outside = np.broadcast_to(sample.inputs.mask == 0, sample.target.shape)
        assert np.array_equal(sample.inputs.masked_person[outside], sample.target[outside])
        assert not np.array_equal(sample.inputs.masked_person[~outside], sample.target[~outside])


def test_a_plain_mask_needs_a_parse_and_an_improved_one_the_datasets_masks(drawn: Path, tmp_path: Path) -> None:
    copied = tmp_path / "drawn"
    shutil.copytree(drawn, copied)
    shutil.rmtree(copied / "train/image-parse-v3")
    with pytest.raises(UserError, match="lacks image-parse-v3"):
        VitonHD(copied, mask="plain")
    assert len(VitonHD(copied)) == 8
    shutil.copytree(drawn / "train/image-parse-v3", copied / "train/image-parse-v3")
    shutil.rmtree(copied / "train/agnostic-mask")
    with pytest.raises(UserError, match="lacks agnostic-mask"):
        VitonHD(copied)
    assert len(VitonHD(copied, mask="plain")) == 8


def test_what_is_wrong_with_a_parse_is_said_by_its_name(drawn: Path, tmp_path: Path) -> None:
    copied = tmp_path / "drawn"
    shutil.copytree(drawn, copied)
    samples = VitonHD(copied, mask="plain")
    file = copied / "train/image-parse-v3" / Path(samples.pairs[0].person).with_suffix(".png")
    labels = np.asarray(Image.open(file))

    Image.fromarray(np.where(np.isin(labels, GARMENT), np.uint8(0), labels)).save(file)
    with pytest.raises(UserError, match=f"{file.name} shows no upper garment"):
        samples.truth(0)
    Image.fromarray(labels[:200]).save(file)
    with pytest.raises(UserError, match=rf"{file.name} is 192x200, .*its photo, 192x256"):
        samples.truth(0)
    Image.fromarray(np.stack([labels] * 3, axis=2)).save(file)
    with pytest.raises(UserError, match=f"{file.name} holds colours, not labels"):
        samples.truth(0)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=f"cannot read .*{file.name}"):
        samples.truth(0)


def test_dress_codes_plain_mask_is_the_garment_of_its_label_maps(tmp_path: Path) -> None:
    folder = tmp_path / "upper_body"
    for name in ("images", "keypoints", "label_maps"):
        (folder / name).mkdir(parents=True)
    points = [
        (192, 60), (192, 105), (140, 108), (130, 190), (125, 260), (244, 108), (254, 190), (259, 260), (160, 260),
        (158, 370), (156, 470), (224, 260), (226, 370), (228, 470), (182, 50), (202, 50), (165, 56), (219, 56),
    ]  # fmt: skip
    (folder / "keypoints/000100_2.json").write_text(json.dumps({"keypoints": [[x, y, 1, 0] for x, y in points]}))
    Image.new("RGB", (384, 512), (120, 160, 120)).save(folder / "images/000100_0.jpg")
    (folder / "train_pairs.txt").write_text("000100_0.jpg\t000100_1.jpg\n")
    Image.new("RGB", (384, 512), "white").save(folder / "images/000100_1.jpg")
    samples = DressCode(tmp_path, height=512, width=384, mask="plain")
    with pytest.raises(UserError, match=r"000100_4\.png is missing: plain masks need"):
        samples.truth(0)

    labels = np.zeros((512, 384), np.uint8)
    labels[110:260, 140:244], labels[270:400, 150:230] = 4, 6  # upper clothes, and trousers
    Image.fromarray(labels).save(folder / "label_maps/000100_4.png")
    mask = samples.truth(0).mask
    assert np.array_equal(mask, plain_mask(labels == 4, "it"))
    assert mask[115, 150] == 1 > mask[330, 190]
    assert DressCode(tmp_path, height=512, width=384).truth(0).mask[115, 130] == 1 > mask[115, 130]
