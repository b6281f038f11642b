"""A folder sealed with the size and hash of each of its files: what was changed, lost or swapped since is found."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lite_vton.errors import UserError
from lite_vton_training.loop.json_object import read_object

__all__ = ["SEAL", "seal", "sealed_files"]

SEAL = "checkpoint.json"
"""`{"format": 1, "files": {name: {"bytes": ..., "sha256": ...}}}`, written last."""

_FORMAT = 1


def seal(folder: Path) -> None:
    """Write `SEAL` over all files in `folder` and in folders in it."""
    files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    entries = {name: {"bytes": file.stat().st_size, "sha256": _sha256(file)} for name, file in files.items()}
    text = json.dumps({"format": _FORMAT, "files": entries}, indent=2) + "\n"
    (folder / SEAL).write_text(text, encoding="utf-8")


def sealed_files(folder: Path) -> frozenset[str]:
    """The names of the files in a folder as it was sealed, relative to it; others that lie there are not among them.

    `UserError` for the first one that is missing or was changed, and for a folder without a seal.
    """
    written = read_object(folder / SEAL)
    entries = written.get("files")
    if written.get("format") != _FORMAT or not isinstance(entries, dict):
        raise UserError(f"{folder / SEAL} is of another format than {_FORMAT}")
    for name, entry in entries.items():
        if Path(name).is_absolute() or ".." in Path(name).parts or not isinstance(entry, dict):
            raise UserError(f"{folder / SEAL} is damaged at {name[:80]!r}")
        file = folder / name
        if not file.is_file():
            raise UserError(f"{name} is missing")
        if file.stat().st_size != entry.get("bytes") or _sha256(file) != entry.get("sha256"):
            raise UserError(f"{name} is not as it was written")
    return frozenset(entries)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
