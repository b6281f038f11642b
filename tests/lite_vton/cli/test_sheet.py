"""Everybody of a folder in everything of another, on one sheet."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
from PIL import Image

from lite_vton.cli import main

pytestmark = pytest.mark.slow

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
    out = tmp_path / "all.png"
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


def test_one_bad_photo_is_named_and_the_others_are_dressed(
    bundle: Path, folders: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    persons, garments = folders
    (persons / "wall.png").unlink()
    (persons / "damaged.avif").write_bytes((persons / "drawn.jpg").read_bytes()[:3000])
    (persons / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    (persons / "._drawn.jpg").write_bytes(b"a resource fork")
    out = tmp_path / "all.webp"
    words = ["sheet", str(bundle), "--persons", str(persons), "--garments", str(garments), "-o", str(out)]
    assert main([*words, "--steps", "1"]) == 0
    said = capfd.readouterr().out
    assert "1 of 3 dressed" in said
    assert "damaged.avif in shirt.jpg: " in said
    assert "phone.HEIC in shirt.jpg: " in said
    assert "._drawn" not in said
    with Image.open(out) as sheet:
        assert sheet.format == "WEBP"


def test_somebody_whom_the_photo_cuts_is_shown_as_far_as_the_photo_shows_them(
    bundle: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    persons, garments = folders
    (persons / "wall.png").unlink()
    with Image.open(persons / "drawn.jpg") as whole:
        cut = whole.crop((0, round(0.1 * whole.height), whole.width, whole.height))
    cut.save(persons / "drawn.jpg", quality=95)
    out = tmp_path / "all.png"
    words = ["sheet", str(bundle), "--persons", str(persons), "--garments", str(garments), "-o", str(out)]
    assert main([*words, "--steps", "1"]) == 0
    with Image.open(out) as sheet:
        tile = np.asarray(sheet)[26 : 26 + 128, 8 : 8 + 96]
    assert (tile[:10] == 255).all()  # white above the photo, not its first row again and again
    assert (tile[24:108] < 250).any(axis=(1, 2)).all()
    assert (tile[-10:] == 255).all()


def test_without_what_finds_people_it_says_so_once_and_does_nothing(
    bundle: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    persons, garments = folders
    out = tmp_path / "all.png"
    words = ["sheet", str(bundle), "--persons", str(persons), "--garments", str(garments), "-o", str(out)]
    program = (
        "import importlib.util as util, sys\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'mediapipe' else find(name, package)\n"
        "from lite_vton.cli import main\n"
        f"sys.exit(main({words!r}))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.count("\n") == 1
    assert "pip install 'lite-vton[photos]'" in ran.stderr
    assert not out.exists()


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
