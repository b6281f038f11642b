"""What the driver knows of one reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["AcceptedError", "Reader"]


class AcceptedError(AssertionError):
    """A reader took what it has to refuse."""


@dataclass(frozen=True)
class Reader:
    """One reader, and a valid file for it.

    `make` fills an empty folder with valid files, and `read` reads that folder, which it must not change. A `read` that
    can tell that what it was given is wrong raises `AcceptedError`. `damaged` are the files that are mutated, as a glob
    below the folder. `repack` puts files together again after one was mutated, as a zip or under new hashes, so that
    the damage gets past what holds it. `share` is how many cases it gets for one of another reader, `seconds` how long
    one may take, `memory` how many bytes it may take beside what the first reading took.
    """

    name: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]
    damaged: str = "**/*"
    repack: Callable[[Path], object] | None = None
    writes: bool = False
    needs: tuple[str, ...] = ()
    share: float = 1.0
    seconds: float = 20.0
    memory: int = 2 << 30
