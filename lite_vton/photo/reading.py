"""A picture's file, opened: which formats are read, how large a picture may be, and what can be wrong with a file."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from types import MappingProxyType

from PIL import ExifTags, Image, UnidentifiedImageError

from lite_vton.errors import UserError
from lite_vton.files.regular import size_of
from lite_vton.libraries.quiet import quiet_stderr
from lite_vton.photo.deep_tiff import is_misread, read_deep_tiff
from lite_vton.photo.metadata import without_metadata

__all__ = [
    "MIN_SIDE",
    "PHOTO_FORMATS",
    "NotAPhotoError",
    "TooLargeError",
    "is_animated",
    "is_photo_name",
    "open_picture",
    "photos_in",
]

MIN_SIDE = 64
"""Shortest side in pixels a photo may have: below it there is no garment to see."""

PHOTO_FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        "PNG": (".png", ".apng"),
        "WEBP": (".webp",),
        "HEIF": (".heic", ".heif", ".hif"),
        "AVIF": (".avif",),
        "GIF": (".gif",),
        "BMP": (".bmp", ".dib"),
        "TIFF": (".tif", ".tiff"),
        "JPEG2000": (".jp2", ".j2k", ".jpx"),
        "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    }
)
"""The formats that are read, in Pillow's names, whoever gives the file, and how such files are called.

HEIF needs the extra `heic`. Pillow knows more formats; one of them, EPS, runs Ghostscript.
"""


class NotAPhotoError(UserError):
    """The bytes are empty, damaged, or no picture at all."""


class TooLargeError(UserError):
    """The picture has more pixels than are decoded."""


_BROKEN = (
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise for broken files, each in its own way."""


def open_picture(source: Path | bytes, name: str, max_megapixels: float = 50, min_side: int = MIN_SIDE) -> Image.Image:
    """The picture in a file or in a file's bytes, which `name` calls in errors: decoded, and upright by its EXIF.

    Of several pictures in a file it is the first. Colours are not multiplied with alpha, whatever the file does. Other
    metadata is passed over, and what of it cannot be read.

    `NotAPhotoError` for a file that is empty, damaged or in a format other than `PHOTO_FORMATS`, `TooLargeError`, and
    `UserError` for one that cannot be read or has a side below `min_side`. Megapixels are checked from the header, so
    a decompression bomb is never decoded.
    """
    if _is_empty(source, name):
        raise NotAPhotoError(f"{name} is empty: export or download the photo again")
    try:
        picture = _decoded(source, name, max_megapixels)
    except NotAPhotoError:
        again = _decoded_otherwise(source, name, max_megapixels)
        if again is None:
            raise
        picture = again
    if min(picture.size) < min_side:
        size = f"{picture.width}x{picture.height}"
        raise UserError(f"{name} is {size}: use a photo of at least {min_side} pixels a side")
    straight = _STRAIGHT.get(picture.mode)
    return picture if straight is None else picture.convert(straight)


_STRAIGHT = MappingProxyType({"La": "LA", "RGBa": "RGBA"})
"""Pillow's modes of colours multiplied with alpha, which it converts to nothing else."""


def is_animated(path: Path) -> bool:
    """Whether a picture's file holds several pictures that are no pages and no thumbnails. `UserError` as above."""
    with (
        suppress(NotAPhotoError),
        _reading(path, str(path), 0),
        _opened(path) as file,
        Image.open(file, formats=_formats()) as image,
    ):
        return bool(getattr(image, "is_animated", False)) and image.format in _ANIMATED
    return False


_ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})


def photos_in(folder: Path, output: Path | None = None) -> list[Path]:
    """The files of a folder whose names end like those of photos, by name; hidden ones (`._photo.jpg`) are passed over.

    `output`, which an earlier run may have put there, is none of them.
    `UserError` for a folder that is none or holds none.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give one with photos in it")
    try:
        found = sorted(file for file in folder.iterdir() if is_photo_name(file.name) and file.is_file())
        if output is not None:
            found = [file for file in found if file.resolve() != output.resolve()]
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}; change its permissions") from error
    if not found:
        raise UserError(f"{folder} holds no photos: put {', '.join(sorted(_SUFFIXES))} files there")
    return found


def is_photo_name(name: str) -> bool:
    """Whether a file's name ends like a photo's, in either case, and is not hidden, as macOS' `._photo.jpg` is."""
    return PurePath(name).suffix.lower() in _SUFFIXES and not name.startswith(".")


_SUFFIXES = frozenset(suffix for each in PHOTO_FORMATS.values() for suffix in each)


def _decoded(source: Path | bytes, name: str, max_megapixels: float) -> Image.Image:
    with _reading(source, name, max_megapixels), _opened(source) as file, Image.open(file, formats=_formats()) as image:
        _check_size(name, image.size, max_megapixels)
        if is_misread(image):
            raise ValueError("not a kind of TIFF that Pillow reads")
        return _upright(image)


def _opened(source: Path | bytes) -> io.BytesIO | _MeasuredFile:
    return io.BytesIO(source) if isinstance(source, bytes) else _MeasuredFile(io.FileIO(source))


class _MeasuredFile(io.BufferedReader):
    """A file that makes room for what it has, and not for all that a damaged header asks for."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _READ_AT_ONCE:
            size = min(size, max(os.fstat(self.fileno()).st_size - self.tell(), 0))
        return super().read(size)


_READ_AT_ONCE = 1 << 20


def _decoded_otherwise(source: Path | bytes, name: str, max_megapixels: float) -> Image.Image | None:
    """The picture without what may be wrong in its metadata, or by another reader; None where that does not help."""
    if isinstance(source, Path) and source.stat().st_size > _LARGEST_FILE:
        return None
    content = source if isinstance(source, bytes) else source.read_bytes()
    bare = without_metadata(content)
    if bare is None:
        return None
    with suppress(NotAPhotoError):
        return _decoded(bare, name, max_megapixels)
    if not content.startswith(_TIFF):
        return None
    with suppress(NotAPhotoError), _reading(content, name, max_megapixels):
        return read_deep_tiff(content, lambda size: _check_size(name, size, max_megapixels))
    return None


_LARGEST_FILE = 2**30  # bytes: more is not read into memory for a second try
_TIFF = (b"II*\0", b"MM\0*")


@contextmanager
def _reading(source: Path | bytes, name: str, max_megapixels: float) -> Iterator[None]:
    """Everything that can be wrong with a file, in words."""
    try:
        with warnings.catch_warnings(), quiet_stderr():  # libtiff and OpenCV write to the terminal by themselves
            warnings.simplefilter("ignore")  # max_megapixels decides about bombs; odd metadata is passed over
            yield
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"{name} is larger than {max_megapixels:g} megapixels: scale it down first") from error
    except UnidentifiedImageError as error:
        raise NotAPhotoError(_unread(source, name)) from error
    except OSError as error:
        if error.errno is not None:
            raise UserError(f"cannot read {name}: {error.strerror or error}") from error
        raise NotAPhotoError(_damaged(name, error)) from error
    except _BROKEN as error:
        raise NotAPhotoError(_damaged(name, error)) from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        exif = image.getexif()
        for group in _GROUPS:  # Pillow 13's TIFF reader looks into these when it loads, whatever is in them
            exif.pop(group, None)
        turn = _TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    except (*_BROKEN, OSError):
        turn = None
    image.load()
    is_turned = image.format == "TIFF"  # by its reader
    return image if turn is None or is_turned else image.transpose(turn)


_GROUPS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _formats() -> tuple[str, ...]:
    Image.init()  # Pillow registers most formats only when it is asked for
    if not _reads_heic():
        with suppress(ImportError):
            from pillow_heif import register_heif_opener

            register_heif_opener()
    return tuple(each for each in PHOTO_FORMATS if each in Image.OPEN)


def _reads_heic() -> bool:
    return "HEIF" in Image.OPEN


def _is_empty(source: Path | bytes, name: str) -> bool:
    return not source if isinstance(source, bytes) else size_of(source, name) == 0


def _check_size(name: str, size: tuple[int, int], max_megapixels: float) -> None:
    width, height = size
    if width * height > max_megapixels * 1e6:
        raise TooLargeError(f"{name} is {width}x{height}, over {max_megapixels:g} megapixels: scale it down")


_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def _unread(source: Path | bytes, name: str) -> str:
    """Why Pillow knows no reader for a file: one is not installed, the file is damaged, or no picture."""
    if isinstance(source, bytes):
        head = source[:16]
    else:
        with source.open("rb") as file:
            head = file.read(16)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS and not _reads_heic():
        return f"{name} is HEIC, which is read with an extra: pip install 'lite-vton[heic]', or save it as JPEG"
    if head.startswith(_TIFF):
        return f"{name} is damaged, or a kind of TIFF that is not read here: save it as JPEG or PNG"
    accepts = (Image.OPEN[each][1] for each in _formats())
    if any(accept is not None and accept(head) for accept in accepts):
        return f"{name} is damaged: export or download the photo again"
    return f"{name} is not an image that Pillow reads here: save it as JPEG or PNG"


def _damaged(name: str, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{name} is damaged ({reason}): export or download the photo again"
