"""Converting a dataset of photos into VITON-HD's layout: all of them, in several processes, with a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, cast

from lite_vton.data.conversion.journal import Journal
from lite_vton.data.conversion.outcome import Outcome
from lite_vton.data.conversion.report import write_pairs, write_report
from lite_vton.data.dataset_folder import converted_folder
from lite_vton.data.processes import spawned
from lite_vton.errors import UserError

__all__ = ["Convert", "Progress", "convert_all", "tell"]

Convert = Callable[[str], Outcome]
"""Converts the photo of that name, its files whole or not at all, and says what became of it. Picklable; a dataclass
whose `folder` is the dataset's, where it may have to convert into another."""

Progress = Callable[[int, int], None]
"""Called with how many photos are done and how many of those were dropped."""


def convert_all(
    folder: Path,
    names: Sequence[str],
    convert: Convert,
    settings: Mapping[str, Any],
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Convert the photos `names` into `folder`, and return what became of each, in the order of names.

    One that was interrupted goes on where it stopped, if `settings`, plain JSON values, are the same. At the end
    `train_pairs.txt`, `test_pairs.txt` and `report.json` are written. With `overwrite` a dataset made here is replaced
    when the new one is complete, and kept where that is interrupted.
    `UserError` for a folder that holds something else, and where no photo can be used.
    """
    if workers < 1:
        raise UserError(f"{workers} workers convert nothing: use at least one")
    with converted_folder(folder, overwrite) as working:
        if working != folder:
            assert is_dataclass(convert)
            convert = cast(Convert, replace(convert, folder=working))  # type: ignore[type-var]  # no class is callable so
        return _convert_into(working, names, convert, settings, workers, progress)


def tell(progress: Progress | None, journal: Journal) -> None:
    """Say how far `journal` is."""
    if progress is not None:
        progress(len(journal.outcomes), sum(bool(outcome.reason) for outcome in journal.outcomes.values()))


def _convert_into(
    folder: Path,
    names: Sequence[str],
    convert: Convert,
    settings: Mapping[str, Any],
    workers: int,
    progress: Progress | None,
) -> list[Outcome]:
    journal = Journal(folder, settings)
    waiting = [name for name in names if name not in journal.outcomes]
    tell(progress, journal)
    for outcome in spawned(convert, waiting, min(workers, max(1, len(waiting)))):
        journal.add(outcome)
        tell(progress, journal)
    journal.close()
    outcomes = [journal.outcomes[name] for name in sorted(journal.outcomes)]
    write_report(folder, settings, outcomes)
    if all(outcome.reason for outcome in outcomes):
        raise UserError(f"none of {len(outcomes)} photos can be used: {folder / 'report.json'} says why")
    write_pairs(folder, outcomes)
    return outcomes
