"""What a benchmark found, and how it is written down: JSON, CSV and Markdown with the same rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType

from lite_vton.atomic import write_text

__all__ = ["WRITERS", "BenchmarkReport", "Row", "write_report"]


@dataclass(frozen=True)
class Row:
    """One target (a component, or `try_on` end to end) on one backend, measured in a process of its own.

    `load_s`          opening and checking the bundle, loading, and the first answer of each network it needs; seconds
    `p50_ms` ...      percentiles over `runs` warm runs, milliseconds
    `peak_rss_bytes`  highest resident set of the process; None where the system does not tell
    `artifact_bytes`  size of the files the backend loads for the target; None if they are not apart
    `parity_db`       PSNR against torch float32 out of verify.json, the worst over all steps, for `try_on` that of
                      the final picture; None if there is none (not verified, or torch itself)
    `share`           which part of the multiplications is in the row's precision, out of verify.json too, for `try_on`
                      that of the network with the least; None if there is none
    """

    backend: str
    precision: str
    target: str
    load_s: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    runs: int
    peak_rss_bytes: int | None
    artifact_bytes: int | None
    parity_db: float | None
    share: float | None = None


@dataclass(frozen=True)
class BenchmarkReport:
    """All rows, and what is needed to understand or repeat them: machine, date, command, versions, settings."""

    header: Mapping[str, str]
    rows: tuple[Row, ...]

    def to_json(self) -> str:
        """Header and rows as one JSON object."""
        content = {
            "kind": "lite-vton-benchmark",
            "header": dict(self.header),
            "rows": [asdict(row) for row in self.rows],
        }
        return json.dumps(content, indent=1) + "\n"

    def to_csv(self) -> str:
        """The header as `# key: value` lines, then one line per row; empty where a value is None."""
        text = io.StringIO()
        for key, value in self.header.items():
            text.write(f"# {key}: {value}\n")
        writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        return text.getvalue()

    def to_markdown(self) -> str:
        """The header as a list, then a table in human units."""
        lines = [f"- {key}: {value}" for key, value in self.header.items()]
        lines += ["", "| " + " | ".join(_COLUMNS) + " |", "|---|---|---|" + "---:|" * (len(_COLUMNS) - 3)]
        lines += ["| " + " | ".join(cell(row) for cell in _COLUMNS.values()) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"


WRITERS: Mapping[str, Callable[[BenchmarkReport], str]] = MappingProxyType(
    {
        "json": BenchmarkReport.to_json,
        "csv": BenchmarkReport.to_csv,
        "md": BenchmarkReport.to_markdown,
    }
)
"""File suffix to what writes it."""


def write_report(report: BenchmarkReport, folder: str | Path) -> tuple[Path, ...]:
    """Write `benchmark.json`, `.csv` and `.md` into `folder`, each whole or not at all; returns their paths.

    The folder is made if it is not there.
    """
    written = []
    for suffix, text in WRITERS.items():
        target = Path(folder) / f"benchmark.{suffix}"
        write_text(target, text(report))
        written.append(target)
    return tuple(written)


def _unless_none(value: float | None, text: Callable[[float], str]) -> str:
    return "–" if value is None else text(value)


def _megabytes(value: float) -> str:
    return f"{value / 1e6:.1f}"


_COLUMNS: Mapping[str, Callable[[Row], str]] = MappingProxyType(
    {
        "backend": lambda row: row.backend,
        "precision": lambda row: row.precision,
        "target": lambda row: row.target,
        "load s": lambda row: f"{row.load_s:.2f}",
        "p50 ms": lambda row: f"{row.p50_ms:.1f}",
        "p90 ms": lambda row: f"{row.p90_ms:.1f}",
        "p95 ms": lambda row: f"{row.p95_ms:.1f}",
        "runs": lambda row: str(row.runs),
        "peak RSS MB": lambda row: _unless_none(row.peak_rss_bytes, _megabytes),
        "files MB": lambda row: _unless_none(row.artifact_bytes, _megabytes),
        "parity dB": lambda row: _unless_none(row.parity_db, lambda value: f"{value:.1f}"),
        "in precision": lambda row: _unless_none(row.share, lambda value: f"{value:.0%}"),
    }
)
