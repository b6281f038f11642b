"""What is found out about an artifact that cannot be run where it is checked."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Readback"]


@dataclass(frozen=True)
class Readback:
    """`checked` says in words what was compared with what, and what could not be; `faults` what is wrong."""

    checked: tuple[str, ...]
    faults: tuple[str, ...]
