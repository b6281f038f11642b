"""The photos in a folder of garments, and what each garment will be called."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lite_vton.errors import UserError
from lite_vton.photo.reading import is_photo_name

__all__ = ["GarmentFile", "GarmentFolder", "garment_files"]

_LONGEST = 120  # bytes of a name; file systems allow 255 with what follows it


@dataclass(frozen=True)
class GarmentFile:
    """`name` is unique in its folder and has no spaces; `kind` the subfolder's name, empty where there is none."""

    path: Path
    source: str
    kind: str
    name: str


@dataclass(frozen=True)
class GarmentFolder:
    """All photos, sorted by `source`, their path in the folder; `others` counts files whose names are no pictures'."""

    files: tuple[GarmentFile, ...]
    others: int


def garment_files(folder: Path) -> GarmentFolder:
    """Everything in `folder` and its subfolders that is a picture by its name; hidden files are left alone.

    A garment is named after its subfolder and file, `dress_0001`; where two would have one name, part of a hash of
    the path follows. `UserError` for a folder that is missing, cannot be read, or holds no picture.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: name one that holds photos of garments")
    found, others = [], 0
    try:
        for parent, folders, names in os.walk(folder, onerror=_refuse):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in names:
                if name.startswith("."):
                    continue
                if is_photo_name(name):
                    found.append(Path(parent, name))
                else:
                    others += 1
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}; change its permissions") from error
    if not found:
        raise UserError(f"{folder} holds no photos: name a folder of garment photos, or of folders of them")
    sources = {_printable(path.relative_to(folder).as_posix()): path for path in found}
    plain = {source: _plain_name(source) for source in sources}
    taken = Counter(name.lower() for name in plain.values())
    files = []
    for source in sorted(sources):
        name = plain[source]
        if taken[name.lower()] > 1 or len(name.encode()) > _LONGEST:
            digest = hashlib.sha256(source.encode()).hexdigest()[:8]
            name = name.encode()[:_LONGEST].decode(errors="ignore") + "-" + digest
        files.append(GarmentFile(sources[source], source, _kind(source), name))
    return GarmentFolder(tuple(files), others)


def _refuse(error: OSError) -> None:
    raise error


def _printable(path: str) -> str:
    """Bytes of a file's name that are no UTF-8 as escapes: reports and lists could not be written otherwise."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _kind(source: str) -> str:
    parts = source.split("/")
    return parts[-2] if len(parts) > 1 else ""


def _plain_name(source: str) -> str:
    """Without what lists of pairs, shells and file systems stumble over."""
    stem = Path(source).stem
    kind = _kind(source)
    return re.sub(r"[^\w.-]", "-", f"{kind}_{stem}" if kind else stem)
