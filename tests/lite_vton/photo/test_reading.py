"""Which files are opened, and what is said of the others."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.errors import UserError
from lite_vton.photo.files import NotAPhotoError, load_mask, load_photo, read_mask, read_photo
from lite_vton.photo.reading import PHOTO_FORMATS, is_photo_name, photos_in


def picture(height: int = 70, width: int = 100) -> Image.Image:
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([rows * 2, columns * 2, rows + columns], axis=2).astype(np.uint8))


@pytest.mark.parametrize("kind", ["EPS", "DDS", "TGA", "ICO", "PCX", "SGI", "PDF", "QOI"])
def test_other_formats_are_refused_whatever_their_files_are_called(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    picture().save(path, kind)
    for read in (load_photo, load_mask, lambda path: read_photo(path.read_bytes(), str(path))):
        with pytest.raises(NotAPhotoError, match="not an image that Pillow reads here"):
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


def encoded(kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    picture().save(content, kind, **options)
    return content.getvalue()


def chunk(kind: bytes, content: bytes, sound: bool = True) -> bytes:
    total = zlib.crc32(kind + content) ^ (not sound)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", total)


def png(*chunks: bytes) -> bytes:
    """The picture with these chunks before its pixels."""
    content = encoded("PNG")
    return content[:33] + b"".join(chunks) + content[33:]


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """The picture with these segments in front."""
    content = encoded("JPEG", quality=95, subsampling=0)
    made = (b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data for marker, data in segments)
    return content[:2] + b"".join(made) + content[2:]


def tiff(
    values: np.ndarray, bits: int = 8, float_: bool = False, extra: Sequence[tuple[int, int, bytes]] = ()
) -> bytes:
    """Uncompressed, with `extra` tags: number, type and value; 12 bits are packed."""
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    pixels = values.tobytes()
    if bits == 12:
        places = (values.reshape(height, -1, 1) >> np.arange(11, -1, -1)) & 1
        pixels = np.packbits(places.astype(np.uint8).reshape(height, -1), axis=1).tobytes()
    tags = {
        256: (3, struct.pack("<H", width)),
        257: (3, struct.pack("<H", height)),
        258: (3, struct.pack("<H", bits) * channels),
        259: (3, struct.pack("<H", 1)),
        262: (3, struct.pack("<H", 1 if channels == 1 else 2)),
        273: (4, struct.pack("<I", 8)),
        277: (3, struct.pack("<H", channels)),
        278: (4, struct.pack("<I", height)),
        279: (4, struct.pack("<I", len(pixels))),
        339: (3, struct.pack("<H", 3 if float_ else 1) * channels),
    } | {tag: (kind, value) for tag, kind, value in extra}
    pixels += b"\0" * (len(pixels) % 2)
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 99: 1}
    table, beyond = struct.pack("<H", len(tags)), b""
    end = 8 + len(pixels) + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        count = len(value) // sizes[kind]
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", end + len(beyond))
        table += struct.pack("<HHI", tag, kind, count) + place
        beyond += value + b"\0" * (len(value) % 2) if len(value) > 4 else b""
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + table + bytes(4) + beyond


LONG = b"a" * (2 << 20)
PIXELS = np.asarray(picture())


@pytest.mark.parametrize(
    "content",
    [
        png(chunk(b"tEXt", b"k\0" + LONG)),
        png(chunk(b"zTXt", b"k\0\0" + zlib.compress(LONG))),
        png(chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(LONG))),
        png(chunk(b"iCCP", b"k\0\0" + zlib.compress(LONG))),
        png(chunk(b"iCCP", b"k")),
        png(chunk(b"tEXt", b"k\0word", sound=False)),
        png(chunk(b"quIt", b"unknown", sound=False)),
        png(chunk(b"pHYs", b"k")),
        png(chunk(b"gAMA", b"k")),
        png(chunk(b"cHRM", b"k")),
        png(chunk(b"acTL", b"k")),
        png(chunk(b"eXIf", b"nothing of the kind")),
        jpeg((0xE1, b"Exif\0\0nothing of the kind")),
        jpeg((0xE2, b"ICC_PROFILE\0")),
        jpeg((0xEE, b"Adobe")),
        jpeg((0xE0, b"JFIF")),
        jpeg((0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\xff\xffabc")),
        tiff(PIXELS, extra=[(282, 5, struct.pack("<II", 72, 0)), (283, 5, struct.pack("<II", 0, 0))]),
        tiff(PIXELS, extra=[(282, 5, struct.pack("<IIII", 1, 1, 2, 1)), (296, 3, struct.pack("<H", 3))]),
        tiff(PIXELS, extra=[(282, 2, b"72\0"), (283, 2, b"72\0"), (296, 3, struct.pack("<H", 3))]),
        tiff(PIXELS, extra=[(34665, 4, b"\xff\xff\xff\x7f"), (34675, 7, b"no profile")]),
    ],
)
def test_a_picture_is_read_whatever_its_metadata_say(content: bytes) -> None:
    assert np.abs(read_photo(content, "the photo").pixels.astype(int) - PIXELS).mean() < 2


def test_what_turns_a_picture_is_kept_when_other_metadata_is_broken() -> None:
    exif = Image.Exif()
    exif[274] = 6
    broken = png(chunk(b"eXIf", exif.tobytes()[6:]), chunk(b"zTXt", b"k\0\0" + zlib.compress(LONG)))
    np.testing.assert_array_equal(read_photo(broken, "the photo").pixels, np.rot90(PIXELS, -1))


RAMP = np.linspace(0, 1, 100)[None].repeat(70, 0)
COLOURS = np.stack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 0.4)], axis=2)
TURNED = (274, 3, struct.pack("<H", 6))
WHITE_IS_ZERO, GREY, INK = ((262, 3, struct.pack("<H", kind)) for kind in (0, 1, 5))
MULTIPLIED, ALPHA = ((338, 3, struct.pack("<H", kind)) for kind in (1, 2))
SIGNED = (339, 3, struct.pack("<H", 2))


def stacked(*parts: np.ndarray) -> np.ndarray:
    """One array (H, W, channels)."""
    return np.dstack(parts)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tiff(np.rint(RAMP * 4095).astype(np.uint16), 12), RAMP),
        (tiff(np.rint(COLOURS * 4095).astype(np.uint16), 12), COLOURS),
        (tiff(np.rint(COLOURS * 4095).astype(np.uint16), 12, extra=[TURNED]), np.rot90(COLOURS, -1)),
        (tiff(np.rint(RAMP * 65535).astype("<u2"), 16), RAMP),
        (tiff(np.rint(COLOURS * 65535).astype("<u2"), 16), COLOURS),
        (tiff(RAMP.astype("<f4"), 32, float_=True), RAMP),
        (tiff(COLOURS.astype("<f4"), 32, float_=True), COLOURS),
        (tiff(255 * COLOURS.astype("<f4"), 32, float_=True), COLOURS),
        (tiff(PIXELS, extra=[TURNED]), np.rot90(PIXELS, -1) / 255),
        (tiff(np.rint(RAMP * 4294967295).astype("<u4"), 32), RAMP),
        (tiff(np.rint(RAMP * 2147483647).astype("<i4"), 32, extra=[SIGNED]), RAMP),
        (tiff(np.rint(RAMP * 65535).astype("<i4"), 32, extra=[SIGNED]), RAMP),
        (tiff(np.rint(RAMP * 255).astype("<i4"), 32, extra=[SIGNED]), RAMP),
        (tiff(np.rint(RAMP * 32767).astype("<i2"), 16, extra=[SIGNED]), RAMP),
        (tiff(np.rint((1 - RAMP) * 65535).astype("<u2"), 16, extra=[WHITE_IS_ZERO]), RAMP),
        (tiff(np.rint((1 - RAMP) * 4294967295).astype("<u4"), 32, extra=[WHITE_IS_ZERO]), RAMP),
        (tiff(np.rint(COLOURS * 4294967295).astype("<u4"), 32), COLOURS),
        (tiff(COLOURS.astype("<f2"), 16, float_=True), COLOURS),
        (tiff(COLOURS.astype("<f2"), 16, float_=True, extra=[TURNED]), np.rot90(COLOURS, -1)),
        (tiff(RAMP.astype("<f8"), 64, float_=True), RAMP),
        (tiff(COLOURS.astype("<f8"), 64, float_=True), COLOURS),
        (tiff(np.rint(stacked(1 - COLOURS, 0 * RAMP) * 65535).astype("<u2"), 16, extra=[INK]), COLOURS),
    ],
)
def test_a_tiff_of_any_depth_has_its_own_brightness(content: bytes, expected: np.ndarray) -> None:
    pixels = read_photo(content, "the photo").pixels
    wanted = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert pixels.shape == wanted.shape
    assert np.abs(pixels / 255 - wanted).max() < 1.5 / 255


SHARE = np.linspace(1, 0, 70)[:, None].repeat(100, 1)


def pillows(mode: str, kind: str, **options: object) -> bytes:
    """The colours above that alpha, as Pillow writes them."""
    rgba = Image.fromarray(np.rint(255 * stacked(COLOURS, SHARE)).astype(np.uint8))
    content = io.BytesIO()
    (Image.merge("LA", (rgba.getchannel("R"), rgba.getchannel("A"))) if mode == "LA" else rgba).save(
        content, kind, **options
    )
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "colours"),
    [
        (pillows("RGBA", "PNG"), COLOURS),
        (pillows("LA", "PNG"), RAMP),
        (pillows("RGBA", "TIFF"), COLOURS),
        (pillows("LA", "TIFF"), RAMP),
        (pillows("RGBA", "WEBP", lossless=True, exact=True), COLOURS),
        (pillows("RGBA", "JPEG2000"), COLOURS),
        (
            tiff(np.rint(255 * stacked(COLOURS * SHARE[..., None], SHARE)).astype(np.uint8), 8, extra=[MULTIPLIED]),
            COLOURS,
        ),
        (tiff(np.rint(255 * stacked(RAMP * SHARE, SHARE)).astype(np.uint8), 8, extra=[GREY, MULTIPLIED]), RAMP),
        (tiff(np.rint(65535 * stacked(COLOURS, SHARE)).astype("<u2"), 16, extra=[ALPHA]), COLOURS),
        (tiff(np.rint(65535 * stacked(RAMP, SHARE)).astype("<u2"), 16, extra=[GREY, ALPHA]), RAMP),
        (tiff(np.rint(65535 * stacked(RAMP * SHARE, SHARE)).astype("<u2"), 16, extra=[GREY, MULTIPLIED]), RAMP),
        (tiff(stacked(RAMP, SHARE).astype("<f4"), 32, float_=True, extra=[GREY, ALPHA]), RAMP),
        (tiff(stacked(COLOURS, SHARE).astype("<f4"), 32, float_=True, extra=[ALPHA]), COLOURS),
        (tiff(stacked(COLOURS * SHARE[..., None], SHARE).astype("<f4"), 32, float_=True, extra=[MULTIPLIED]), COLOURS),
    ],
)
def test_a_picture_with_alpha_looks_on_white_as_it_was_made(content: bytes, colours: np.ndarray) -> None:
    colours = colours if colours.ndim == 3 else np.repeat(colours[..., None], 3, axis=2)
    photo, share = read_photo(content, "the photo"), SHARE[..., None]
    assert photo.alpha is not None
    assert np.abs(photo.alpha / 255 - SHARE).max() < 1 / 255
    assert np.abs(photo.pixels / 255 - (colours * share + 1 - share)).max() < 2.5 / 255
    marked = read_mask(content, "the mask")
    assert np.abs(marked / 255 - colours.max(axis=2) * SHARE).max() < 3.5 / 255


def test_a_deep_tiff_too_large_is_never_decoded() -> None:
    content = bytearray(tiff(np.rint(COLOURS * 4095).astype(np.uint16), 12))
    place = content.index(struct.pack("<HHIH", 257, 3, 1, 70)) + 8
    content[place : place + 2] = struct.pack("<H", 65_000)
    with pytest.raises(UserError, match=r"100x65000, over 1 megapixels"):
        read_photo(bytes(content), "the photo", max_megapixels=1)


def what_is_said_of(content: bytes) -> str | None:
    try:
        read_photo(content, "the photo")
    except UserError as error:
        return str(error)
    return None


KINDS = ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "MPO"]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_in_one_line(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    draw = random.Random(kind)
    whole = encoded(kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {}))
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(draw.choice([1, 2, 8])):
            place = draw.randrange(min(len(content), draw.choice([40, 400, 10**9])))
            content[place] = draw.randrange(256)
        if draw.random() < 0.3:
            del content[draw.randrange(1, len(content)) :]
        said = what_is_said_of(bytes(content))
        assert said is None or (said.startswith("the photo") and "\n" not in said)
    assert capfd.readouterr() == ("", "")


def test_only_photos_of_a_folder_are_taken(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.heic", "c.avif", "d.gif", "._b.JPG", ".hidden.png", "notes.txt", "e.eps"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.jpg").mkdir()
    assert [file.name for file in photos_in(tmp_path)] == ["a.heic", "b.JPG", "c.avif", "d.gif"]
    assert [file.name for file in photos_in(tmp_path, tmp_path / "folder.jpg/../c.avif")] == [
        "a.heic",
        "b.JPG",
        "d.gif",
    ]
    assert not is_photo_name("._x.jpg")
    (tmp_path / "empty").mkdir()
    for folder, says in ((tmp_path / "empty", "holds no photos"), (tmp_path / "none", "not a folder")):
        with pytest.raises(UserError, match=says):
            photos_in(folder)


def test_heic_is_read_with_its_extra() -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs lite-vton[heic]")
    content = io.BytesIO()
    heif.from_pillow(picture()).save(content, quality=95)
    assert np.abs(read_photo(content.getvalue(), "the photo").pixels.astype(int) - PIXELS).mean() < 4


def test_without_its_extra_heic_says_which_one_to_install(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    program = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from lite_vton.photo.files import load_photo\n"
        f"try: load_photo({str(path)!r})\n"
        "except Exception as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "phone.jpg is HEIC" in ran.stdout
    assert "pip install 'lite-vton[heic]'" in ran.stdout


def test_a_header_that_asks_for_more_than_any_memory_is_a_damaged_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.jp2"
    Image.new("RGB", (80, 70)).save(path)
    content = path.read_bytes()
    start = content.index(b"jp2h") - 4
    path.write_bytes(content[:start] + (1).to_bytes(4) + b"jp2h" + (2**45).to_bytes(8) + content[start + 8 :])
    with pytest.raises(NotAPhotoError, match="damaged"):
        load_photo(path)
