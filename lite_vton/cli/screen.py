"""What the verbs print: tables, progress, JSON, and the line at the end that says what was written."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from lite_vton.cli.process_start import began
from lite_vton.cli.streams import is_unicode

__all__ = ["Watch", "megabytes", "print_json", "print_table"]


_WIDE = 200  # columns of a table that goes to a file or a pipe


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE
    with console.capture() as shown:  # Rich itself would end the process where nobody reads any more
        console.print(table)
    sys.stdout.write(shown.get())


def print_json(content: Any) -> None:
    """Indented JSON on stdout; numbers that JSON has not, NaN and infinity, are null."""
    print(json.dumps(_plain(content), indent=2, ensure_ascii=not is_unicode(), allow_nan=False))


def megabytes(count: float) -> str:
    """Bytes for people."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


@dataclass(frozen=True)
class Watch:
    """Says at the end of the work what was written, how large, how long it took, and what to try next."""

    began: float = field(default_factory=began)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return perf_counter() - self.began

    def wrote(self, paths: Iterable[Path], next_command: str | None = None) -> None:
        """The closing lines."""
        listed = list(paths)
        for path in listed:
            print(f"wrote {path} ({megabytes(_bytes(path))})")
        print(f"took {self.seconds:.1f} s")
        if next_command is not None:
            print(f"next: {next_command}")
        sys.stdout.flush()


def _plain(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: _plain(value) for key, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, list | tuple) else content


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
