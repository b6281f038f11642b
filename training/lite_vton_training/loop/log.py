"""The table of a run's losses."""

from __future__ import annotations

import csv
from pathlib import Path

from lite_vton.errors import UserError

__all__ = ["LOG", "Log", "read_log"]

LOG = "log.csv"


class Log:
    """`log.csv`: a row a step, written by one process; columns are those of the first row."""

    def __init__(self, path: Path, writes: bool) -> None:
        self._path = path
        self._columns: list[str] = []
        if writes and path.exists():
            self._columns = path.read_text(encoding="utf-8").partition("\n")[0].split(",")[1:]

    def write(self, step: int, values: dict[str, float]) -> None:
        """Values without a column are left out; columns without a value stay empty."""
        lines = []
        if step == 0 or not self._columns:
            self._columns = list(values)
            lines.append(["step", *self._columns])
        lines.append([str(step), *(f"{values[name]:.6g}" if name in values else "" for name in self._columns)])
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(",".join(line) + "\n" for line in lines))


def read_log(file: Path) -> list[dict[str, float | None]]:
    """Each row's values by column, None where it has none; `UserError` for a file that is not such a table."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            table = csv.DictReader(opened, strict=True)
            if "step" not in (table.fieldnames or ()):
                raise ValueError("no column is called step")
            rows = list(table)
        return [{name: float(value) if value else None for name, value in row.items()} for row in rows]
    except (OSError, ValueError, TypeError, csv.Error) as error:  # TypeError: a row longer than the first
        raise UserError(f"{file} is no table of losses ({error}): delete its folder, and train again") from error
