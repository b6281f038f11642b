"""How options are declared: their group in the help text, the names a shell completes, and limits."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Protocol

import typer

from lite_vton.workflows.names import completing

__all__ = ["LARGEST_SEED", "LARGEST_SIDE", "MOST", "Declare", "finite", "grouped"]

LARGEST_SEED = 2**63 - 1
"""What all random generators underneath take."""

LARGEST_SIDE = 8192
"""Limit for a side of a picture in pixels; a larger one is a slip, and would fill the memory."""

MOST = 10**9
"""Limit for anything that is counted."""


class Declare(Protocol):
    """`typer.Option` of one group; `names` is the kind, in `lite_vton.workflows.names`, that a shell completes."""

    def __call__(self, *flags: str, names: str | None = None, help: str, **more: Any) -> Any:
        """What typer takes in an annotation."""
        ...


def grouped(group: str) -> Declare:
    """Declares options that stand together under the heading `group`."""
    return partial(_declared, group)


def _declared(group: str, *flags: str, names: str | None = None, help: str, **more: Any) -> Any:
    completion = None if names is None else completing(names)
    return typer.Option(*flags, help=help, rich_help_panel=group, autocompletion=completion, **more)


def finite(value: float | None) -> float | None:
    """The number itself, for typer's `callback`; refuses NaN, which is in every range."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a number to work with")
    return value
