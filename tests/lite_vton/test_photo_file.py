"""Which files are opened, and what is said of the others."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.errors import UserError
from lite_vton.photo import NotAPhotoError, load_mask, load_photo, read_photo
from lite_vton.photo_file import PHOTO_FORMATS


def picture(height: int = 70, width: int = 100) -> Image.Image:
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([rows * 2, columns * 2, rows + columns], axis=2).astype(np.uint8))


@pytest.mark.parametrize("kind", ["EPS", "DDS", "TGA", "ICO", "PCX", "SGI", "PDF", "QOI"])
def test_other_formats_are_refused_whatever_their_files_are_called(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    picture().save(path, kind)
    for read in (load_photo, load_mask, lambda path: read_photo(path.read_bytes(), str(path))):
        with pytest.raises(NotAPhotoError, match="not an image that is read here"):
            read(path)


def test_an_eps_starts_no_ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {started}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "photo.jpg"
    picture().save(path, "EPS")
    with pytest.raises(NotAPhotoError):
        load_photo(path)
    assert not started.exists()


def test_a_pipe_or_a_name_that_is_none_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path, says in ((tmp_path / "pipe.jpg", "not a file"), (tmp_path / "a\0b.jpg", "cannot read")):
        with pytest.raises(UserError, match=says):
            load_photo(path)


@pytest.mark.parametrize("turn", range(2, 9))
def test_a_photo_is_turned_by_its_orientation_and_odd_tags_are_passed_over(turn: int) -> None:
    plain, odd = (turned_jpeg(turn, odd) for odd in (False, True))
    expected = read_photo(plain, "plain").pixels
    assert expected.shape[:2] == ((100, 70) if turn > 4 else (70, 100))
    np.testing.assert_array_equal(read_photo(odd, "odd").pixels, expected)


def turned_jpeg(turn: int, odd: bool) -> bytes:
    """A JPEG with an orientation; an odd one has a tag of a type (8, SSHORT) that Pillow reads and cannot write."""
    entries = [(0x0112, 3, 1, turn.to_bytes(2, "big") + b"\0\0")]
    if odd:
        entries.append((0x0103, 8, 1, (-1).to_bytes(2, "big", signed=True) + b"\0\0"))
    table = len(entries).to_bytes(2, "big")
    for tag, kind, count, value in sorted(entries):
        table += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + count.to_bytes(4, "big") + value
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + table + b"\0\0\0\0"
    content = io.BytesIO()
    picture().save(content, "JPEG", exif=exif)
    return content.getvalue()


def test_formats_are_those_that_run_nothing() -> None:
    assert not {"EPS", "WMF", "MPEG", "HDF5", "GRIB", "BUFR", "FITS"} & set(PHOTO_FORMATS)
