"""A folder of garment photos made the cloth side of a VITON-HD folder."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from shutil import copyfile, copytree

import cv2
import numpy as np
import pytest
from PIL import Image

from lite_vton.data.garments.convert import convert_garments
from lite_vton.errors import UserError

SIZE = (256, 192)
KEPT = {
    "dress_flared-one": ("dress", "dress", "dress/flared one.jpg"),
    "kurta_0001": ("kurta", "upper", "kurta/0001.jpg"),
    "longsleeve_0001": ("longsleeve", "upper", "longsleeve/0001.jpg"),
    "t-shirt_0001": ("t-shirt", "upper", "t-shirt/0001.jpg"),
    "t-shirt_0002": ("t-shirt", "upper", "t-shirt/0002.jpg"),
}


@pytest.fixture(scope="module")
def converted(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("converted") / "data"
    convert_garments(source, folder, height=SIZE[0], width=SIZE[1])
    return folder


def hashes(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def marks(folder: Path, name: str) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = json.loads(
        (folder / f"train/cloth-landmarks/{name}.json").read_text(encoding="utf-8")
    )["landmarks"]
    return found


@pytest.mark.slow
def test_files_lie_as_in_viton_hd(converted: Path) -> None:
    assert {path.name for path in converted.iterdir()} == {
        "train", "report.json", "garments.csv", "contact-sheet.jpg", "conversion.jsonl"
    }  # fmt: skip
    for folder, ending in (("cloth", ".jpg"), ("cloth-mask", ".jpg"), ("cloth-landmarks", ".json")):
        assert {path.name for path in (converted / "train" / folder).iterdir()} == {name + ending for name in KEPT}
    for name in KEPT:
        with Image.open(converted / f"train/cloth/{name}.jpg") as cloth:
            assert (cloth.format, cloth.mode, cloth.size) == ("JPEG", "RGB", SIZE[::-1])
        with Image.open(converted / f"train/cloth-mask/{name}.jpg") as mask:
            assert (mask.format, mask.mode, mask.size) == ("JPEG", "L", SIZE[::-1])


def test_garments_are_whole_on_white_and_fill_their_pictures(converted: Path) -> None:
    for name in KEPT:
        cloth = np.asarray(Image.open(converted / f"train/cloth/{name}.jpg"))
        mask = np.asarray(Image.open(converted / f"train/cloth-mask/{name}.jpg")) > 127
        assert not mask[[0, -1]].any()
        assert not mask[:, [0, -1]].any()
        near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        assert cloth[~near].min() > 240
        rows, columns = mask.any(axis=1).mean(), mask.any(axis=0).mean()
        assert max(rows, columns) == pytest.approx(0.9, abs=0.02)
        assert 0.15 < mask.mean() < 0.75


def test_landmarks_lie_on_the_garment_where_their_names_say(converted: Path) -> None:
    for name in KEPT:
        points = marks(converted, name)
        mask = np.asarray(Image.open(converted / f"train/cloth-mask/{name}.jpg")) > 127
        for pair in ("collar", "shoulder", "armpit", "sleeve", "hem"):
            assert points[f"{pair}_left"][0] < SIZE[1] / 2 < points[f"{pair}_right"][0], (name, pair)
        for left in ("left", "right"):
            assert points[f"shoulder_{left}"][1] < points[f"armpit_{left}"][1] < points[f"hem_{left}"][1]
        for x, y in points.values():
            near = mask[max(0, round(y) - 6) : round(y) + 7, max(0, round(x) - 6) : round(x) + 7]
            assert near.any(), name
    sleeves = [marks(converted, name)["sleeve_left"][1] for name in ("longsleeve_0001", "t-shirt_0001")]
    assert sleeves[0] > sleeves[1] + 40


def test_the_listing_says_where_each_came_from(source: Path, converted: Path) -> None:
    with (converted / "garments.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["name"]: (row["class"], row["category"], row["source"]) for row in rows} == KEPT
    for row in rows:
        assert row["sha256"] == hashlib.sha256((source / row["source"]).read_bytes()).hexdigest()
        content = json.loads((converted / f"train/cloth-landmarks/{row['name']}.json").read_text(encoding="utf-8"))
        assert {key: content[key] for key in ("class", "category", "source", "sha256")} == {
            key: row[key] for key in ("class", "category", "source", "sha256")
        }


def test_what_is_dropped_is_named_with_its_reason(converted: Path) -> None:
    report = json.loads((converted / "report.json").read_text(encoding="utf-8"))
    assert (report["photos"], report["kept"], report["other_files"]) == (10, 5, 1)
    dropped = {line["source"]: line for line in report["garments"] if "reason" in line}
    assert {source: line["reason"] for source, line in dropped.items()} == {
        "t-shirt/broken.jpg": "not a usable picture",
        "t-shirt/blank.png": "no garment that can be cut out",
        "t-shirt/turning.gif": "not a usable picture",
        "t-shirt/vest.jpg": "sleeves not as its class has them",
        "t-shirt/words.png": "not a usable picture",
    }
    assert "animated" in dropped["t-shirt/turning.gif"]["detail"]
    assert "damaged" in dropped["t-shirt/broken.jpg"]["detail"]
    assert dropped["t-shirt/vest.jpg"]["detail"].startswith("sleeves 0, should be 0.01")
    assert sum(report["dropped"].values()) == 5
    assert report["classes"]["kurta"] == {"category": "upper", "known": False, "photos": 1, "kept": 1}
    assert report["classes"]["t-shirt"] == {"category": "upper", "known": True, "photos": 7, "kept": 2}


def test_the_sheet_shows_garments_on_grey_with_their_landmarks(converted: Path) -> None:
    sheet = np.asarray(Image.open(converted / "contact-sheet.jpg")).astype(int)
    grey = np.abs(sheet - 128).max(axis=2) < 4
    red = (np.abs(sheet - (200, 0, 60)).max(axis=2)) < 40
    assert grey.mean() > 0.15
    assert red.sum() > 5 * 11 * 8


@pytest.mark.slow
def test_the_number_of_processes_changes_no_byte(source: Path, converted: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    convert_garments(
        source, tmp_path / "again", height=SIZE[0], width=SIZE[1], workers=2, progress=lambda *n: told.append(n)
    )
    assert hashes(tmp_path / "again") == hashes(converted)
    assert [done for done, _ in told] == list(range(11))
    assert told[-1] == (10, 5)


@pytest.mark.slow
def test_photos_that_are_new_changed_or_gone_are_told_from_the_others(
    source: Path, converted: Path, tmp_path: Path
) -> None:
    photos, folder = tmp_path / "photos", tmp_path / "data"
    copytree(source, photos)
    copytree(converted, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("t-shirt_0001.*")}
    (photos / "dress/flared one.jpg").unlink()
    copyfile(source / "t-shirt/0002.jpg", photos / "kurta/0001.jpg")
    copyfile(source / "t-shirt/0002.jpg", photos / "t-shirt/0003.jpg")
    report = convert_garments(photos, folder, height=SIZE[0], width=SIZE[1])
    names = {"kurta_0001", "longsleeve_0001", "t-shirt_0001", "t-shirt_0002", "t-shirt_0003"}
    assert {file.name for file in report.kept} == names
    for part in (folder / "train").iterdir():
        assert {path.stem for path in part.iterdir()} == names
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("t-shirt_0001.*")} == before
    assert marks(folder, "kurta_0001") == marks(folder, "t-shirt_0002")
    assert hashes(folder)["train/cloth/kurta_0001.jpg"] == hashes(folder)["train/cloth/t-shirt_0003.jpg"]


def test_a_folder_of_other_things_is_left_as_it_is(source: Path, converted: Path, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        convert_garments(source, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"diary.txt"}
    before = hashes(converted)
    with pytest.raises(UserError, match="other options"):
        convert_garments(source, converted, height=512, width=384)
    assert hashes(converted) == before


def test_a_source_that_gives_nothing_is_refused(source: Path, tmp_path: Path) -> None:
    empty, words = tmp_path / "empty", tmp_path / "words"
    empty.mkdir()
    words.mkdir()
    copyfile(source / "t-shirt/words.png", words / "words.png")
    for folder, complaint in (
        (empty, "holds no photos"),
        (tmp_path / "gone", "is no folder"),
        (source / "LICENSE", "is no folder"),
    ):
        with pytest.raises(UserError, match=complaint):
            convert_garments(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match=r"none of 1 garments can be used: .*report\.json says why"):
        convert_garments(words, tmp_path / "out")
    assert "Pillow" in (tmp_path / "out/report.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"height": 500}, "multiples of 8"),
        ({"height": 8, "width": 8}, "multiples of 8"),
        ({"height": 80000, "width": 60000}, "4096"),
        ({"workers": 0}, "workers"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    source: Path, tmp_path: Path, options: dict[str, int], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        convert_garments(source, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_writing_into_the_source_is_refused(source: Path) -> None:
    before = hashes(source)
    for folder in (source, source / "out", source.parent):
        with pytest.raises(UserError, match="lie in each other"):
            convert_garments(source, folder)
    assert hashes(source) == before
