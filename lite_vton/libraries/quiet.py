"""Keeping C libraries from writing to the terminal: an error is one line, and it is ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

__all__ = ["quiet_stderr"]

_lock = Lock()
_kept: list[int] = []  # the terminal, once for each block that is inside


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Nothing that this process writes to its file descriptor 2 is seen while any thread is inside."""
    if sys.stderr is None:  # there is no terminal, and descriptor 2 may be any file
        yield
        return
    sys.stderr.flush()
    with _lock:
        _kept.append(os.dup(_kept[0] if _kept else 2))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
    try:
        yield
    finally:
        with _lock:
            terminal = _kept.pop()
            if not _kept:
                os.dup2(terminal, 2)
            os.close(terminal)
