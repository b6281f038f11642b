"""When the work began that a verb says the seconds of: with the process, Python's own start included."""

from __future__ import annotations

import os
import time
from contextvars import ContextVar
from pathlib import Path

__all__ = ["BEGAN", "began", "process_start"]

_IMPORTED = time.perf_counter()

BEGAN: ContextVar[float | None] = ContextVar("BEGAN", default=None)
"""By `time.perf_counter`, when the command line that runs here was started; None outside of one."""


def began() -> float:
    """When the command line was started, by `time.perf_counter`; now, where there is none."""
    known = BEGAN.get()
    return time.perf_counter() if known is None else known


def process_start() -> float:
    """When this process was started, by `time.perf_counter`, as Linux tells it; elsewhere when this was imported."""
    try:
        # After the program's name, which may hold anything and stands in brackets, the 20th field is the start.
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        start = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # seconds since the machine was started
        return time.perf_counter() - (time.clock_gettime(time.CLOCK_BOOTTIME) - start)
    except (OSError, AttributeError, ValueError, IndexError):  # another system
        return _IMPORTED
