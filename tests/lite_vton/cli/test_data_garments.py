"""`lite-vton data garments`: what it prints, and how it goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.cli import main

Refused = Callable[..., str]

SIZE = ("--height", "128", "--width", "96", "--workers", "1")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five drawn shirts, of a class nobody knows, on grey; a vest that a T-shirt is not; a note."""
    from lite_vton.data.drawn.pair import draw_pair

    folder = tmp_path_factory.mktemp("garments") / "photos"
    for name, index in (("tops/a", 0), ("tops/b", 1), ("tops/c", 5), ("tops/d", 8), ("tops/e", 10), ("t-shirt/f", 3)):
        pair = draw_pair(11, index, 240, 180)
        picture = np.full((300, 240, 3), (120, 150, 110), np.uint8)
        picture[30:270, 30:210][pair.cloth_mask > 0] = pair.cloth[pair.cloth_mask > 0]
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    (folder / "notes.txt").write_text("none")
    return folder


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "data"
    assert main(["data", "garments", str(photos), "-o", str(folder), *SIZE]) == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_it_says_what_was_kept_and_what_was_dropped(
    photos: Path, whole: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = contents(whole)
    # Nothing is left to do, and that is said in the same words.
    assert main(["data", "garments", str(photos), "-o", str(whole), *SIZE]) == 0
    said = capfd.readouterr().out
    assert "5 of 6 garments kept" in said
    assert "  1 dropped: sleeves not as its class has them" in said
    assert "taken for upper garments, since their folders are no known classes: tops" in said
    assert "1 files are no pictures by their names" in said
    assert f"wrote {whole}" in said
    assert contents(whole) == before


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(
    photos: Path, whole: Path, tmp_path: Path, interrupted: Callable[..., tuple[int, str]], by: int
) -> None:
    folder = tmp_path / "data"
    journal = folder / "conversion.jsonl"
    words = ["data", "garments", str(photos), "-o", str(folder), *SIZE]
    code, err = interrupted(*words, ready=lambda: journal.is_file() and journal.read_text().count("\n") > 2, by=by)
    if by == signal.SIGINT:
        assert code == 130
        assert err.count("\n") == 1, err
        assert "the same command goes on there" in err
    assert not (folder / "report.json").exists()
    begun = contents(folder)
    cloths = {Path(name).stem for name in begun if name.startswith("train/cloth/") and name.endswith(".jpg")}
    assert cloths
    for name in cloths:
        assert begun[f"train/cloth-mask/{name}.jpg"] == contents(whole)[f"train/cloth-mask/{name}.jpg"]
        assert begun[f"train/cloth-landmarks/{name}.json"] == contents(whole)[f"train/cloth-landmarks/{name}.json"]
    # What a power cut may leave.
    journal.write_bytes(journal.read_bytes() + b'{"name":"to')
    (folder / ".lite-vton-0/half").mkdir(parents=True)
    (folder / ".lite-vton-0/half/half.jpg").write_bytes(b"half")
    assert main(words) == 0
    assert contents(folder) == contents(whole)


def test_what_cannot_be_done_is_refused_in_a_line(photos: Path, whole: Path, tmp_path: Path, refused: Refused) -> None:
    out, empty, taken = tmp_path / "out", tmp_path / "empty", tmp_path / "taken"
    empty.mkdir()
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    assert "holds no photos" in refused("data", "garments", empty, "-o", out)
    assert "is no folder" in refused("data", "garments", tmp_path / "gone", "-o", out)
    assert "is not empty" in refused("data", "garments", photos, "-o", taken)
    assert "other options" in refused("data", "garments", photos, "-o", whole)
    assert "lie in each other" in refused("data", "garments", photos, "-o", photos / "out")
    assert "multiples of 8" in refused("data", "garments", photos, "-o", out, "--height", "100")
