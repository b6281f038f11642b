"""The table of a run's losses."""

from __future__ import annotations

from pathlib import Path

__all__ = ["LOG", "Log"]

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
