"""Files that somebody names: nobody may ever write to a pipe, and a device may never end."""

from __future__ import annotations

import stat
from pathlib import Path

from lite_vton.errors import UserError

__all__ = ["size_of"]


def size_of(path: Path, name: str) -> int:
    """The file's bytes. `UserError`, which calls it `name`, where it is missing, or a folder, a pipe or a device."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # a name with a zero in it is a ValueError
        raise UserError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"cannot read {name}: it is not a file")
    return status.st_size
