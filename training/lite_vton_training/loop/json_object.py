"""A small JSON object in a file, which anybody may have changed since it was written."""

from __future__ import annotations

import json
from pathlib import Path

from lite_vton.errors import UserError

__all__ = ["read_object", "same"]

_LARGEST_BYTES = 1_000_000
"""What is kept so is a page or two, and a run of a thousand shards lists its files in half of this."""


def read_object(file: Path) -> dict[str, object]:
    """The object in `file`; `UserError`, which names the file, for anything else, without a word on what to do."""
    if not file.is_file():
        raise UserError(f"{file} is missing")
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise UserError(f"{file} has {file.stat().st_size} bytes, more than it can have been written with")
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # of ValueError: no UTF-8, no JSON, a number too long
        if isinstance(error, UserError):
            raise
        raise UserError(f"{file} is not readable JSON ({' '.join(str(error).split())[:120]})") from error
    if not isinstance(found, dict):
        raise UserError(f"{file} holds no JSON object")
    return found


def same(one: object, other: object) -> bool:
    """Whether two values are the same JSON, in which true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
