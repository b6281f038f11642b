"""`lite-vton data ccp`: what is printed and written, what is refused, and that it goes on after Ctrl-C."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.cli import main
from lite_vton.cli.verbs.data.conversion import goes_on
from lite_vton.data.dataset_folder import JOURNAL
from tests.lite_vton.data.ccp.drawn_source import drawn, write_source

pytest.importorskip("mediapipe", reason="needs lite-vton[photos]")

Refused = Callable[..., str]
SIZE = ("--height", 128, "--width", 96)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = {index + 1: drawn(index) for index in range(2)}
    good = {number: (pair.person, labels) for number, (pair, labels) in photos.items()}
    blank = np.full_like(good[1][0], 200), good[1][1]
    return write_source(tmp_path_factory.mktemp("source") / "ccp", {**good, 3: blank, 4: good[1]})


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.mark.slow
def test_it_says_what_was_dropped_and_writes_a_sheet(
    source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "pairs"
    assert run("data", "ccp", source, "-o", output, *SIZE, "--leave-out", 4, "--workers", 1) == 0
    out, err = capfd.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "2 of 4 photos converted"
    assert lines[1:3] == ["  1 dropped: left out as asked", "  1 dropped: nobody is found in the photo"]
    assert any(line.startswith(f"wrote {output}") for line in lines)
    assert json.loads((output / "report.json").read_text())["converted"] == {"train": 1, "test": 1}
    with Image.open(output / "contact-sheet.jpg") as sheet:
        assert sheet.height > 2 * 256
        tiles = np.asarray(sheet)
    assert len(np.unique(tiles.reshape(-1, 3), axis=0)) > 1000


def test_a_folder_that_is_no_dataset_is_refused_by_what_it_lacks(
    source: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "empty").mkdir()
    line = refused("data", "ccp", tmp_path / "empty", "-o", tmp_path / "pairs")
    assert "lacks photos/, annotations/pixel-level/, label_list.mat" in line
    assert "names no photo" in refused("data", "ccp", source, "-o", tmp_path / "pairs", "--leave-out", "everybody")


@pytest.mark.slow
def test_interrupted_it_says_where_it_goes_on(
    source: Path, tmp_path: Path, interrupted: Callable[..., tuple[int, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "pairs"
    words = ("data", "ccp", source, "-o", output, *SIZE, "--workers", 1)
    code, err = interrupted(*words, ready=lambda: (output / JOURNAL).is_file() and lines(output) > 1)
    assert code == 130
    assert err.startswith("lite-vton: stopped after "), err
    assert "goes on there" in err
    before = lines(output)
    assert run(*words) == 0
    assert "3 of 4 photos converted" in capfd.readouterr().out
    assert lines(output) == 5 > before


def test_interrupted_it_says_of_what_nothing_was_kept(tmp_path: Path) -> None:
    output = tmp_path / "pairs"
    assert goes_on(output, overwrite=False) == "the same command goes on there"
    assert goes_on(output, overwrite=True) == "the same command without --overwrite goes on there"
    output.mkdir()
    (output / JOURNAL).touch()
    assert goes_on(output, overwrite=False) == "the same command goes on there"
    assert goes_on(output, overwrite=True) == f"{output} is as it was, and the same command begins anew"


def lines(output: Path) -> int:
    return len((output / JOURNAL).read_text().splitlines())
