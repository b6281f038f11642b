"""Zips that others made: opened so that whatever is wrong with one is said in a line."""

from __future__ import annotations

import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lite_vton.errors import UserError

__all__ = ["is_zip", "opened_zip"]

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    RuntimeError,  # an encrypted entry, and by its subclass NotImplementedError a way of packing or a version
    EOFError,
    ValueError,  # and by its subclass a name that is no text
    LookupError,  # a name or an extra field that ends early
    OverflowError,
    MemoryError,  # a dictionary of LZMA that is larger than the machine
)
"""What zipfile and its decompressors raise for damaged files (Python 3.11 to 3.14)."""
_NOT_THE_DISK = (None, errno.EINVAL)
"""bz2 reports damage by an `OSError` without a number, and a place before the file's beginning is an invalid one."""


def is_zip(path: Path) -> bool:
    """Whether a zip's directory is at the end of the file, whatever state it is in."""
    try:
        return zipfile.is_zipfile(path)
    except _BROKEN:
        return True


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip for as long as the block reads it; a `UserError` for damage that shows in the block, too."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UserError:  # which is a ValueError
        raise
    except OSError as error:
        if error.errno not in _NOT_THE_DISK:
            raise
        raise _damaged(path, error) from error
    except _BROKEN as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"{path} is damaged ({reason}): copy it again")
