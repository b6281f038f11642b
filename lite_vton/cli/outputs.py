"""A verb's outputs are looked at and claimed before anything else: no work is done that could not be written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

from lite_vton.atomic import claim, claim_inside
from lite_vton.errors import UserError
from lite_vton.workflows.train.processes import first_process

__all__ = ["claim_filled_folder", "claim_output", "claim_picture", "outputs_held"]

_held: ContextVar[ExitStack | None] = ContextVar("outputs", default=None)


@contextmanager
def outputs_held() -> Iterator[None]:
    """What the verb inside claims is let go at the end, however it ends."""
    with ExitStack() as claims:
        before = _held.set(claims)
        try:
            yield
        finally:
            _held.reset(before)


def claim_output(output: Path) -> None:
    """Keep other commands away from a file or folder that appears whole at the end of this one.

    `UserError` for a name or place that cannot be written, and where another lite-vton is writing it.
    """
    if (claims := _held.get()) is not None:
        claims.enter_context(claim(output))


def claim_picture(output: Path) -> None:
    """As `claim_output`; also a `UserError` for a suffix of no format that pictures are written in, or no folder."""
    from lite_vton.photo.encoding import written_format

    written_format(output)
    if not os.path.isdir(output.parent):  # noqa: PTH112  # Path's raises for a name that is too long
        raise UserError(f"there is no folder {output.parent}: make it, or save {output.name} elsewhere")
    claim_output(output)


def claim_filled_folder(folder: Path) -> None:
    """Keep other commands away from a folder that this one fills in place, by the first of several processes."""
    if os.path.isfile(folder):  # noqa: PTH113  # Path's raises for a name that is too long
        raise UserError(f"{folder} is a file: name a folder")
    if first_process() and (claims := _held.get()) is not None:
        claims.enter_context(claim_inside(folder))
