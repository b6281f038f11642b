"""The folder of a dataset that is made here: claimed while it is filled, and replaced only where we made it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lite_vton.atomic import claim_inside, is_vacant, whole_folder
from lite_vton.data.layout import SPLITS
from lite_vton.data.writer import is_written_here
from lite_vton.errors import UserError

__all__ = ["JOURNAL", "converted_folder", "drawn_folder", "is_replaced"]

JOURNAL = "conversion.jsonl"
"""File in a converted dataset's folder: a line of settings, then a line per photo that is done. It marks it as ours."""


@contextmanager
def drawn_folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """A folder to draw into, which becomes `folder` at the end, or vanishes.

    `UserError` for a file, and for a folder that is not vacant unless `overwrite` and it holds a dataset made here.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder that does not exist yet")
    if folder.is_dir() and not is_vacant(folder) and not overwrite:
        raise UserError(f"{folder} is not empty: name another folder, or overwrite it")
    with whole_folder(folder, _is_ours) as draft:
        yield draft


@contextmanager
def converted_folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """The folder to convert into: `folder` itself, so that an interrupted conversion can go on, made and claimed.

    With `overwrite`, where there is a dataset made here, a new folder, which replaces it at the end or vanishes.
    `UserError` for a file, and with `overwrite` for a folder of something else.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder")
    if is_replaced(folder, overwrite):
        with whole_folder(folder, _is_ours) as draft:
            yield draft
    else:
        with claim_inside(folder):
            yield folder


def is_replaced(folder: Path, overwrite: bool) -> bool:
    """Whether a conversion into `folder` makes a new folder for it, of which nothing is kept if it is interrupted."""
    return overwrite and folder.is_dir() and not is_vacant(folder)


def _is_ours(folder: Path) -> bool:
    """Whether a dataset was drawn or converted into `folder`, however far."""
    return _is_converted(folder / JOURNAL) or any(is_written_here(folder / split) for split in SPLITS)


_LONGEST_LINE = 1_000_000  # characters


def _is_converted(journal: Path) -> bool:
    """Whether a journal's first line has the settings of a conversion."""
    try:
        with journal.open(encoding="utf-8") as lines:
            settings = json.loads(lines.readline(_LONGEST_LINE))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(settings, dict) and isinstance(settings.get("dataset"), str)
