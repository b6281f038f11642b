"""Text that somebody gives: UTF-8 with or without a byte order mark, whatever system wrote it."""

from __future__ import annotations

import codecs
from pathlib import Path

from lite_vton.errors import UserError
from lite_vton.files.regular import size_of

__all__ = ["read_given_bytes", "text_of"]

_LARGEST = 64 << 20  # bytes; lists and keypoints have a few megabytes at most


def read_given_bytes(path: Path, name: str) -> bytes:
    """The file's bytes. `UserError`, which calls it `name`, for one that is missing, unreadable or absurdly large."""
    size_of(path, name)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UserError(f"cannot read {name}: {error.strerror}") from error
    if len(content) > _LARGEST:
        raise UserError(f"{name} has more than {_LARGEST >> 20} MB: it is no such file")
    return content


def text_of(content: bytes, name: str) -> str:
    """The text in a file's bytes, without its byte order mark. `UserError` for UTF-16, Latin-1 and the like."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:200]:
        raise UserError(f"{name} is UTF-16 or no text at all: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8, but Latin-1 or the like: save it as UTF-8") from error
