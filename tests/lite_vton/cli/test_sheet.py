"""Everybody of a folder in everything of another, on one sheet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import pytest
from PIL import Image

from lite_vton.cli import main

pytest.importorskip("mediapipe", reason="needs lite-vton[photos]")

Refused = Callable[..., str]


@pytest.fixture
def folders(dataset: Path, tmp_path: Path) -> tuple[Path, Path]:
    """One drawn person and a bare wall; one garment."""
    persons, garments = tmp_path / "persons", tmp_path / "garments"
    persons.mkdir()
    garments.mkdir()
    copyfile(dataset / "train/image/00000_00.jpg", persons / "drawn.jpg")
    Image.new("RGB", (192, 256), "grey").save(persons / "wall.png")
    (persons / "notes.txt").write_text("no photo")
    copyfile(dataset / "train/cloth/00001_00.jpg", garments / "shirt.jpg")
    return persons, garments


def test_a_sheet_shows_who_is_dressed_and_says_who_is_not(
    bundle: Path, folders: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    persons, garments = folders
    out = tmp_path / "sheets/all.png"
    words = ["sheet", str(bundle), "--persons", str(persons), "--garments", str(garments), "-o", str(out)]
    assert main([*words, "--steps", "1"]) == 0
    said = capfd.readouterr().out
    assert "1 of 2 dressed" in said
    assert "wall.png in shirt.jpg: nobody is found" in said
    report = json.loads(out.with_suffix(".json").read_text())
    assert (report["pictures"], report["damaged"]) == (1, 0)
    assert [refusal["person"] for refusal in report["refusals"]] == ["wall.png"]
    with Image.open(out) as sheet:
        assert sheet.width > 2 * 96


def test_folders_without_photos_are_refused(
    bundle: Path, folders: tuple[Path, Path], tmp_path: Path, refused: Refused
) -> None:
    persons, _ = folders
    (tmp_path / "empty").mkdir()
    out = tmp_path / "all.png"
    assert "holds no photos" in refused(
        "sheet", bundle, "--persons", persons, "--garments", tmp_path / "empty", "-o", out
    )
    assert "not a folder" in refused("sheet", bundle, "--persons", tmp_path / "gone", "--garments", persons, "-o", out)
    assert not out.exists()
