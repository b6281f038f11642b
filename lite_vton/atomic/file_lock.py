"""An exclusive lock on an open file, which the system releases when its process ends, however it ends."""

from __future__ import annotations

import errno
import os
import sys

__all__ = ["try_lock"]

_BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def try_lock(descriptor: int) -> bool | None:
    """Lock the file until it is closed. False where another process has it, None where the file system has no locks."""
    try:
        _lock(descriptor)
    except OSError as error:
        return False if error.errno in _BUSY else None
    return True
