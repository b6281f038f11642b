"""A dataset in Clothing Co-Parsing's layout, of drawn people and of photos that cannot be used, converted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.data.ccp.conversion import convert_ccp, numbers_left_out
from lite_vton.data.ccp.reasons import Reason
from lite_vton.data.conversion.outcome import Outcome
from lite_vton.data.layout import CUTS, FOLDERS, HOLES, part_file
from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.person.keypoints import Joint, read_keypoints
from lite_vton.person.parse import read_parse
from lite_vton.person.parse_labels import GARMENT, Part
from tests.lite_vton.data.ccp.drawn_source import LABELS, drawn, write_source

pytestmark = pytest.mark.slow

pytest.importorskip("mediapipe", reason="needs lite-vton[photos]")

SIZE = {"height": 256, "width": 192}
REAL = Path("../shared/data/ccp")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    people = [drawn(index) for index in range(3)]
    good = {number: (pair.person, labels) for number, (pair, labels) in zip((2, 3, 9), people, strict=True)}
    (first, first_labels), (second, second_labels) = people[:2]
    bare = np.where(
        np.isin(first_labels, [LABELS.index(n) for n in ("t-shirt", "dress")]), LABELS.index("skin"), first_labels
    )
    side_by_side = np.hstack([first.person, second.person])
    nothing = np.zeros_like(second_labels)
    unusable = {
        4: (first.person, bare.astype(np.uint8)),
        5: (np.full_like(first.person, 200), first_labels),
        6: (np.hstack([first.person, np.full_like(first.person, 200)]), np.hstack([nothing, second_labels])),
        7: (first.person, first_labels[:-2]),
        8: (first.person[:210], first_labels[:210]),
        10: (first.person, first_labels),
    }
    two_people = {12: (side_by_side, np.hstack([nothing, second_labels]))}
    folder = write_source(tmp_path_factory.mktemp("source") / "ccp", {**good, **unusable, **two_people})
    (folder / "photos/0011.jpg").write_bytes((folder / "photos/0002.jpg").read_bytes())
    return folder


@pytest.fixture(scope="module")
def outcomes(source: Path, folder: Path) -> dict[str, Outcome]:
    found = convert_ccp(source, folder, **SIZE, left_out=[10])
    return {outcome.name: outcome for outcome in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("converted") / "pairs"


def test_every_photo_has_an_outcome_and_every_bad_one_its_reason(outcomes: dict[str, Outcome]) -> None:
    reasons = {name: outcome.reason for name, outcome in outcomes.items() if outcome.reason}
    assert reasons == {
        "0004": Reason.NO_GARMENT,
        "0005": Reason.NOBODY,
        "0006": Reason.SOMEBODY_ELSE,
        "0007": Reason.SIZES,
        "0008": Reason.NO_TORSO,
        "0010": Reason.LEFT_OUT,
        "0011": Reason.NO_PARSE,
    }
    assert {name for name, outcome in outcomes.items() if not outcome.reason} == {"0002", "0003", "0009", "0012"}


def test_the_report_counts_what_was_dropped(outcomes: dict[str, Outcome], folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert report["converted"] == {"train": 3, "test": 1}
    assert sum(report["dropped"].values()) == sum(bool(outcome.reason) for outcome in outcomes.values())
    assert report["photos"]["0007"]["detail"] == "the parse is 384x510, the photo 384x512"
    assert report["settings"]["left_out"] == [10]


def test_numbers_that_leave_one_when_divided_by_eight_are_the_test_split(
    outcomes: dict[str, Outcome], folder: Path
) -> None:
    assert {name for name, outcome in outcomes.items() if outcome.split == "test"} == {"0009"}
    for split, names in (("train", {"0002", "0003", "0012"}), ("test", {"0009"})):
        for kind_folder, ending in (*FOLDERS.values(), HOLES, CUTS):
            found = {path.name for path in (folder / split / kind_folder).iterdir()}
            assert found == {f"{name}_00{ending}" for name in names}


@pytest.mark.usefixtures("outcomes")
def test_a_reader_of_viton_hd_puts_the_garment_back_where_it_was_worn(folder: Path) -> None:
    for split in ("train", "test"):
        for sample in VitonHD(folder, split, True, 256, 192):  # type: ignore[arg-type]
            parse = read_parse(part_file(folder / split, "parse", sample.name))
            free = (sample.inputs.mask[0, 0] > 0) & ~np.isin(parse, (Part.HAIR, Part.LEFT_ARM, Part.RIGHT_ARM))
            put, worn = (sample.warped_mask > 0.5) & free, np.isin(parse, GARMENT) & free
            assert (put & worn).sum() > 0.65 * (put | worn).sum()
            shown, own = (
                picture[0][:, put & worn].mean(axis=1) for picture in (sample.inputs.masked_person, sample.target)
            )
            assert np.abs(shown - own).max() < 0.1, "in its own colours"


def test_of_two_people_the_one_whom_the_parse_marks_is_taken(outcomes: dict[str, Outcome], folder: Path) -> None:
    pair, _ = drawn(1)
    outcome = outcomes["0012"]
    person = np.asarray(Image.open(part_file(folder / outcome.split, "person", outcome.picture)))
    alone = np.asarray(Image.open(part_file(folder / outcomes["0003"].split, "person", outcomes["0003"].picture)))
    middle = slice(80, 176), slice(60, 132)
    assert np.abs(person[middle].astype(float) - alone[middle]).mean() < 25
    assert pair.category == outcome.category


def test_keypoints_parse_and_mask_are_of_the_crop(outcomes: dict[str, Outcome], folder: Path) -> None:
    for outcome in outcomes.values():
        if outcome.reason:
            continue
        split = folder / outcome.split
        points = read_keypoints(part_file(split, "keypoints", outcome.picture)).completed().points
        parse = read_parse(part_file(split, "parse", outcome.picture))
        mask = np.asarray(Image.open(part_file(split, "mask", outcome.picture)))
        middle = points[[Joint.R_SHOULDER, Joint.L_SHOULDER, Joint.R_HIP, Joint.L_HIP]].mean(axis=0).astype(int)
        assert parse[middle[1], middle[0]] in GARMENT
        assert mask[middle[1], middle[0]] == 255
        assert (mask[np.isin(parse, (Part.HAIR, Part.FACE))] == 0).mean() > 0.8


def test_holes_are_marked_within_the_garment_and_not_everywhere(outcomes: dict[str, Outcome], folder: Path) -> None:
    for outcome in outcomes.values():
        if outcome.reason:
            continue
        holes, mask = (
            np.asarray(Image.open(part_file(folder / outcome.split, kind, outcome.picture))) > 127
            for kind in ("holes", "cloth_mask")
        )
        assert holes.shape == (256, 192)
        assert not (holes & ~mask).sum() > 0.01 * mask.sum()
        assert holes.sum() == pytest.approx(outcome.measures["hidden"] * mask.sum(), abs=0.01 * mask.sum())


def test_two_processes_write_the_same_bytes(
    source: Path, outcomes: dict[str, Outcome], folder: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    assert convert_ccp(source, again, **SIZE, left_out=[10], workers=2) == list(outcomes.values())
    assert hashes(again) == hashes(folder)


def hashes(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"height": 250}, "250x384"),
        ({"height": 512, "width": 512}, "4:3"),
        ({"test_every": 1}, "dividing by 1"),
        ({"test_offset": 8}, "8 is never left"),
        ({"workers": 0}, "0 workers"),
    ],
)
def test_options_that_make_no_sense_are_user_errors(
    source: Path, tmp_path: Path, options: dict[str, int], line: str
) -> None:
    with pytest.raises(UserError, match=line):
        convert_ccp(source, tmp_path / "pairs", **options)
    assert not (tmp_path / "pairs").exists()


@pytest.mark.parametrize("around", [".", ".."])
def test_the_dataset_itself_is_not_overwritten(source: Path, around: str) -> None:
    before = hashes(source)
    with pytest.raises(UserError, match="holds the dataset itself"):
        convert_ccp(source, source / around, **SIZE, overwrite=True)
    assert hashes(source) == before


def test_a_name_of_a_label_that_is_unknown_ends_the_conversion_before_it_begins(tmp_path: Path) -> None:
    pair, labels = drawn(0)
    source = write_source(tmp_path / "ccp", {1: (pair.person, labels)}, [*LABELS[:-1], "spacesuit"])
    with pytest.raises(UserError, match="'spacesuit'"):
        convert_ccp(source, tmp_path / "pairs", **SIZE)
    assert not (tmp_path / "pairs").exists()


def test_photos_to_leave_out_are_named_by_number_file_or_folder(tmp_path: Path) -> None:
    for name in ("ccp-0049.jpg", "ccp-0061_keypoints.json", "0133.jpg", "somebody.jpg"):
        (tmp_path / name).touch()
    assert numbers_left_out([str(tmp_path), "7", "elsewhere/ccp-0193.jpg"]) == {7, 49, 133, 193}
    assert numbers_left_out([]) == frozenset()
    for nothing in ("somebody.jpg", "-3", ""):
        with pytest.raises(UserError, match="names no photo"):
            numbers_left_out([nothing])


@pytest.mark.shared
@pytest.mark.skipif(not REAL.is_dir(), reason="the photographs are not beside this checkout")
def test_real_photos_are_converted(tmp_path: Path) -> None:
    source = tmp_path / "ccp"
    (source / "photos").mkdir(parents=True)
    (source / "annotations/pixel-level").mkdir(parents=True)
    names = [path.stem for path in sorted((REAL / "photos").iterdir())[1:60:16]]
    for file in (
        "label_list.mat",
        *(f"photos/{n}.jpg" for n in names),
        *(f"annotations/pixel-level/{n}.mat" for n in names),
    ):
        (source / file).symlink_to((REAL / file).resolve())
    found = convert_ccp(source, tmp_path / "pairs", **SIZE)
    assert sum(not outcome.reason for outcome in found) >= len(names) - 1
