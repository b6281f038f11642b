"""A benchmark as a picture: latency and memory, one line per row."""

from __future__ import annotations

from pathlib import Path

from lite_vton.errors import UserError
from lite_vton_runtimes.benchmark.figure import new_figure, save_figure
from lite_vton_runtimes.benchmark.report import BenchmarkReport, Row

__all__ = ["draw_chart"]


def draw_chart(report: BenchmarkReport, path: str | Path) -> Path:
    """Draw `report` as a PNG at `path`, whole or not at all; returns the path.

    Left, median latency with a whisker to p95 on a logarithmic axis, parity written beside it; right, peak memory.
    Raises `UserError` if matplotlib is not installed or there is nothing to draw.
    """
    if not report.rows:
        raise UserError("the benchmark has no rows to draw: measure at least one backend")
    figure = new_figure(figsize=(11, 1.6 + 0.42 * len(report.rows)))
    from matplotlib.ticker import LogFormatter

    latency, memory = figure.subplots(1, 2, sharey=True, width_ratios=[2, 1])
    places = range(len(report.rows))
    backends = list(dict.fromkeys((row.backend, row.precision) for row in report.rows))
    colours = [f"C{backends.index((row.backend, row.precision)) % 10}" for row in report.rows]

    # Points, not bars: on a logarithmic axis the length of a bar means nothing.
    for place, row, colour in zip(places, report.rows, colours, strict=True):
        tail = [[0.0], [max(row.p95_ms - row.p50_ms, 0.0)]]
        latency.errorbar(row.p50_ms, place, xerr=tail, fmt="o", color=colour, capsize=3)
        latency.annotate(_caption(row), (row.p95_ms, place), (6, 0), textcoords="offset points", va="center")
    latency.grid(axis="x", alpha=0.3)
    latency.set_xscale("log")
    for format_ticks in (latency.xaxis.set_major_formatter, latency.xaxis.set_minor_formatter):
        format_ticks(LogFormatter(minor_thresholds=(2, 0.4)))  # 500, not 5 × 10²
    latency.margins(x=0.5)
    latency.set_xlabel("p50 ms, whisker to p95")
    latency.set_yticks(list(places), [f"{row.backend}-{row.precision} {row.target}" for row in report.rows])
    latency.invert_yaxis()
    memory.barh(places, [(row.peak_rss_bytes or 0) / 1e6 for row in report.rows], color=colours)
    memory.set_xlabel("peak RSS MB")
    header = report.header
    figure.suptitle(f"{header.get('model', '')}  {header.get('machine', '')}  {header.get('date', '')}", fontsize=9)

    return save_figure(figure, path)


def _caption(row: Row) -> str:
    parity = "" if row.parity_db is None else f", {row.parity_db:.0f} dB"
    return f"{row.p50_ms:.1f} ms{parity}"
