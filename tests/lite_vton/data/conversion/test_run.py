"""A conversion goes on where it stopped, and leaves what one that was never interrupted leaves."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lite_vton.atomic import claim_inside
from lite_vton.data.conversion.outcome import Outcome
from lite_vton.data.conversion.pair_files import place_pair
from lite_vton.data.conversion.run import convert_all
from lite_vton.data.dataset_folder import JOURNAL
from lite_vton.data.pair import Pair
from lite_vton.errors import UserError
from lite_vton.person.keypoints import Keypoints
from tests.lite_vton.garment.flat_lowers import STANDING

NAMES = tuple(f"{number:04d}" for number in range(6))
SETTINGS = {"dataset": "grey", "height": 64}


@dataclass
class Grey:
    """Makes a grey pair of each photo and drops those of odd number; stops before the photo `stop`."""

    folder: Path
    stop: str = ""

    def __call__(self, name: str) -> Outcome:
        if name == self.stop:
            raise KeyboardInterrupt
        if int(name) % 2:
            return Outcome(name=name, reason="odd", detail=f"{name} is odd")
        grey = np.full((64, 48, 3), 40 * int(name) % 256, np.uint8)
        keypoints = Keypoints(STANDING.astype(np.float32) / 8, np.ones(18, np.float32))
        outcome = Outcome(name=name, split="train", category="upper", measures={"iou": 0.9})
        pair = Pair(grey, grey[..., 0] // 100, keypoints, grey, grey[..., 0] | 255, "upper")
        place_pair(self.folder / "train", outcome.picture, pair, np.zeros((64, 48), np.uint8))
        return outcome


def convert(folder: Path, stop: str = "", **options: object) -> list[Outcome]:
    return convert_all(folder, NAMES, Grey(folder, stop), SETTINGS, **options)  # type: ignore[arg-type]


def hashes(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    convert(tmp_path / "whole")
    return tmp_path / "whole"


@pytest.mark.parametrize("stop", NAMES)
def test_interrupted_anywhere_it_goes_on_and_ends_in_the_same_bytes(whole: Path, tmp_path: Path, stop: str) -> None:
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        convert(folder, stop)
    told: list[tuple[int, int]] = []
    convert(folder, progress=lambda done, dropped: told.append((done, dropped)))
    assert told[0][0] == int(stop), "what was done is not done again"
    assert told[-1] == (6, 3)
    assert hashes(folder) == hashes(whole)


def test_killed_while_writing_it_leaves_nothing_half_done(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        convert(folder, "0004")
    journal = folder / JOURNAL
    journal.write_text(journal.read_text() + '{"name":"0004","spl')
    (folder / ".lite-vton-killed/half/image").mkdir(parents=True)
    (folder / ".lite-vton-killed/half/image/0004_00.jpg").write_bytes(b"half")
    convert(folder)
    assert hashes(folder) == hashes(whole)


def test_started_again_when_done_nothing_changes(whole: Path) -> None:
    before = hashes(whole)
    convert(whole, stop="0000")  # which would raise, were it converted
    assert hashes(whole) == before


def test_other_options_do_not_mix_with_what_was_begun(whole: Path) -> None:
    with pytest.raises(UserError, match="begun with other options"):
        convert_all(whole, NAMES, Grey(whole), {**SETTINGS, "height": 128})
    convert_all(whole, NAMES, Grey(whole), {**SETTINGS, "height": 128}, overwrite=True)
    assert '"height": 128' in (whole / "report.json").read_text()


def test_an_interrupted_overwrite_keeps_the_old_dataset(whole: Path) -> None:
    before = hashes(whole)
    with pytest.raises(KeyboardInterrupt):
        convert(whole, "0004", overwrite=True)
    assert hashes(whole) == before
    assert list(whole.parent.iterdir()) == [whole]


@pytest.mark.slow
def test_two_conversions_into_one_folder_are_kept_apart(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from tests.lite_vton.data.conversion.test_run import UserError, convert
for options in ({{}}, {{"overwrite": True}}):
    try:
        convert(Path({str(tmp_path / "x")!r}), **options)
    except UserError as error:
        print(error)
"""
    convert(tmp_path / "x")
    with claim_inside(tmp_path / "x"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("another lite-vton is writing") == 2


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        convert(tmp_path)
    for like_ours in ("", "{}", '{"dataset": 3}', "[" * 100_000):
        (tmp_path / "conversion.jsonl").write_text(like_ours)
        with pytest.raises(UserError, match="holds something else"):
            convert(tmp_path, overwrite=True)
    (tmp_path / "conversion.jsonl").unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(UserError, match="is a file"):
        convert(tmp_path / "mine.txt")


def test_nothing_that_can_be_used_is_a_user_error_and_the_report_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    with pytest.raises(UserError, match="none of 2 photos"):
        convert_all(folder, ("0001", "0003"), Grey(folder), SETTINGS)
    assert '"odd": 2' in (folder / "report.json").read_text()


def test_train_wears_its_own_and_test_the_next_of_its_category(tmp_path: Path) -> None:
    def convert_one(name: str) -> Outcome:
        categories = ("upper", "dress", "upper", "dress", "upper")
        number = int(name)
        return Outcome(name=name, split="test" if number else "train", category=categories[number])

    convert_all(tmp_path / "pairs", NAMES[:5], convert_one, SETTINGS)
    train, test = ((tmp_path / f"pairs/{split}_pairs.txt").read_text().splitlines() for split in ("train", "test"))
    assert train == ["0000_00.jpg 0000_00.jpg"]
    worn = [(line[:4], line[12:16]) for line in test]
    assert worn == [("0001", "0003"), ("0002", "0004"), ("0003", "0001"), ("0004", "0002")]


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 400))
def test_whatever_a_journal_holds_it_is_gone_on_with_or_refused(whole: Path, junk: bytes, at: int) -> None:
    journal = whole / JOURNAL
    content = journal.read_bytes()
    try:
        journal.write_bytes(content[:at] + junk)
        with suppress(UserError):
            assert [outcome.name for outcome in convert(whole)] == list(NAMES)
    finally:
        journal.write_bytes(content)
