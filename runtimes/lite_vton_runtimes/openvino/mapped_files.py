"""Lets go of a mapped file's pages, which count as this process's memory for as long as nobody else needs the room."""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["forget_pages", "forgetting"]

_EVERY_S = 0.02


@contextmanager
def forgetting(file: Path) -> Iterator[None]:
    """Drop what becomes resident of `file` again and again while the body reads it, and once more after it."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(_EVERY_S):
            forget_pages(file)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        forget_pages(file)


def forget_pages(file: Path) -> None:
    """Drop from this process what is resident of `file` where it is mapped for reading; it is read again when touched.

    Linux alone; elsewhere nothing happens. A mapping that can be written to is left alone, since its changes would be
    lost.
    """
    if sys.platform != "linux":
        return
    name = str(file.resolve())
    advise = ctypes.CDLL(None, use_errno=True).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        addresses, access, *rest = line.split(maxsplit=5)
        if rest[-1] == name and "w" not in access:
            first, last = (int(address, 16) for address in addresses.split("-"))
            advise(first, last - first, mmap.MADV_DONTNEED)
