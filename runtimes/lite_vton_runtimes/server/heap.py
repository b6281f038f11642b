"""One heap for all threads of a server."""

from __future__ import annotations

import ctypes
import platform

__all__ = ["share_one_heap"]

_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_one_heap() -> None:
    """Let the threads that start from now on take memory from one heap, and free it there.

    glibc gives each thread a heap of its own, and what is freed in one is of no use to another. A server of the tiny
    bundle had 460 MB after 500 requests that way, and 180 MB with one heap. Does nothing where the libc is another.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
