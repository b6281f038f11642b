"""Which of a run's processes speaks and writes, where `accelerate launch` or torchrun started several."""

from __future__ import annotations

import os
from collections.abc import Callable

__all__ = ["first_process", "if_first"]


def first_process() -> bool:
    """Whether this is the only process of the run, or the one of several that writes."""
    return os.environ.get("RANK", "0") == "0"


def if_first(tell: Callable[[str], None]) -> Callable[[str], None]:
    """`tell` in one process of a run, silence in the others."""
    return tell if first_process() else lambda _: None
