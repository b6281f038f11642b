"""Whether an optional package is there, found out without importing it."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["is_installed"]


def is_installed(package: str) -> bool:
    """Whether `package`, by the name it is imported by, can be found. One that an import hook refuses is not there."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # by a hook; for a module that is being imported or was put there by hand
        return False
