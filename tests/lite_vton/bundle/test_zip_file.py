"""Bundles as zips that were packed in unusual ways, or lie about themselves, are read or refused in one line."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from tests.fuzz.small_models import bundle_files

ENTRY = "golden/trajectory.npz"


def packed(path: Path, method: int = zipfile.ZIP_STORED) -> Path:
    """A bundle of its manifest and one file, which is packed by `method`."""
    manifest = json.loads(bundle_files()["manifest.json"])
    manifest |= {"artifacts": {}, "weights": None, "files": {ENTRY: manifest["files"][ENTRY]}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr(ENTRY, bundle_files()[ENTRY], method)
    return path


def directory_entry(content: bytes) -> int:
    """Where the directory's entry of the file begins."""
    return content.rindex(b"PK\x01\x02")


def encrypted(content: bytearray) -> None:
    content[directory_entry(content) + 8] |= 1
    content[content.rindex(b"PK\x03\x04") + 6] |= 1


def of_an_unknown_method(content: bytearray) -> None:
    struct.pack_into("<H", content, directory_entry(content) + 10, 99)
    struct.pack_into("<H", content, content.rindex(b"PK\x03\x04") + 8, 99)


def of_a_later_version(content: bytearray) -> None:
    struct.pack_into("<H", content, directory_entry(content) + 6, 99)


def said_to_be_empty(content: bytearray) -> None:
    struct.pack_into("<II", content, directory_entry(content) + 20, 0, 0)


def with_a_zip64_size(content: bytearray) -> None:
    """An extra field with 2^62 bytes, and none of the bytes after it."""
    start = directory_entry(content)
    name = struct.unpack_from("<H", content, start + 28)[0]
    extra = struct.pack("<HHQQ", 1, 16, 2**62, 2**62)
    struct.pack_into("<II", content, start + 20, 2**32 - 1, 2**32 - 1)
    struct.pack_into("<H", content, start + 30, len(extra))
    content[start + 46 + name : start + 46 + name] = extra
    end = content.rindex(b"PK\x05\x06")
    size = struct.unpack_from("<I", content, end + 12)[0]
    struct.pack_into("<I", content, end + 12, size + len(extra))


def with_a_zip64_field_cut_short(content: bytearray) -> None:
    start = directory_entry(content)
    name = struct.unpack_from("<H", content, start + 28)[0]
    struct.pack_into("<I", content, start + 24, 2**32 - 1)
    struct.pack_into("<H", content, start + 30, 6)
    content[start + 46 + name : start + 46 + name] = struct.pack("<HHH", 1, 8, 0)
    end = content.rindex(b"PK\x05\x06")
    struct.pack_into("<I", content, end + 12, struct.unpack_from("<I", content, end + 12)[0] + 6)


METHODS = {"stored": zipfile.ZIP_STORED, "deflate": zipfile.ZIP_DEFLATED, "bz2": zipfile.ZIP_BZIP2}
METHODS |= {"lzma": zipfile.ZIP_LZMA}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_way_of_packing_is_read(tmp_path: Path, method: int) -> None:
    bundle = Bundle.open(packed(tmp_path / "tiny.zip", method))
    assert bundle.path(ENTRY).read_bytes() == bundle_files()[ENTRY]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("place", [4, 9, 40, 200])
def test_damage_inside_an_entry_is_refused(tmp_path: Path, method: int, place: int) -> None:
    path = packed(tmp_path / "tiny.zip", method)
    content = bytearray(path.read_bytes())
    start = content.rindex(b"PK\x03\x04") + 30 + len(ENTRY)
    content[start + place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        Bundle.open(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "lie",
    [
        encrypted,
        of_an_unknown_method,
        of_a_later_version,
        said_to_be_empty,
        with_a_zip64_size,
        with_a_zip64_field_cut_short,
    ],
)
def test_an_entry_that_lies_about_itself_is_refused(tmp_path: Path, lie: Callable[[bytearray], None]) -> None:
    path = packed(tmp_path / "tiny.zip")
    content = bytearray(path.read_bytes())
    lie(content)
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        Bundle.open(path)
    assert "\n" not in str(caught.value)
