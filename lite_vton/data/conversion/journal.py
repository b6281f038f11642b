"""What a conversion has done so far, on disk, so that an interrupted one goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lite_vton.atomic import is_vacant, write_text
from lite_vton.data.conversion.outcome import Outcome
from lite_vton.data.dataset_folder import JOURNAL
from lite_vton.errors import UserError

__all__ = ["Journal"]


class Journal:
    """The outcomes so far, by name of the photo."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Begin in `folder`, or go on with what the same `settings`, plain JSON values, began there.

        `UserError` for a folder with anything else in it.
        """
        self._path = folder / JOURNAL
        self.outcomes: dict[str, Outcome] = {}
        first = json.dumps(settings, sort_keys=True)
        if self._path.is_file():
            self._read(first)
        elif folder.is_dir() and not is_vacant(folder):
            raise UserError(f"{folder} is not empty, and no conversion that can go on: name another, or overwrite it")
        folder.mkdir(parents=True, exist_ok=True)
        self._rewrite(first, self.outcomes.values())
        self._first = first

    def add(self, outcome: Outcome) -> None:
        """On disk at once."""
        self.outcomes[outcome.name] = outcome
        with self._path.open("a", encoding="utf-8") as file:
            file.write(outcome.model_dump_json() + "\n")

    def close(self) -> None:
        """In the order of names, so that the same conversion leaves the same bytes."""
        self._rewrite(self._first, (self.outcomes[name] for name in sorted(self.outcomes)))

    def _read(self, first: str) -> None:
        try:
            # What follows the last end of line was cut off in writing.
            lines = self._path.read_text(encoding="utf-8").split("\n")[:-1]
        except UnicodeDecodeError as error:
            raise UserError(f"{self._path} is damaged: name another folder, or overwrite this one") from error
        if not lines:
            return
        if lines[0] != first:
            raise UserError(f"{self._path.parent} was begun with other options: repeat those, or overwrite it")
        try:
            found = [Outcome.model_validate_json(line) for line in lines[1:]]
        except ValidationError as error:
            raise UserError(f"{self._path} is damaged: name another folder, or overwrite this one") from error
        self.outcomes = {outcome.name: outcome for outcome in found}

    def _rewrite(self, first: str, outcomes: Iterable[Outcome]) -> None:
        write_text(self._path, "\n".join([first, *(outcome.model_dump_json() for outcome in outcomes)]) + "\n")
