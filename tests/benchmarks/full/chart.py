"""The same as a picture: each target's rows by their time, and the memory they took."""

from __future__ import annotations

from pathlib import Path

from lite_vton_runtimes.benchmark.figure import new_figure, save_figure
from tests.benchmarks.full.contenders import DECODER, ENCODER, TRY_ON, UNET
from tests.benchmarks.full.figures import Report

__all__ = ["draw"]

_PANELS = (
    (TRY_ON, "try-on from end to end"),
    (UNET, "one U-Net step"),
    (ENCODER, "one encode"),
    (DECODER, "one decode"),
)
_COLOURS = {"paper": "C3", "ours": "C0", "peer": "C1"}


def draw(report: Report, file: Path) -> Path:
    """Median seconds with a whisker over all runs on a logarithmic axis, peak memory beside each; slowest first."""
    found = {target: [row for row in report.at(target) if row.p50_ms is not None] for target, _ in _PANELS}
    papers = [(label, report.paper(name)) for name, label in (("teacher", "(a)"), ("student", "(b)"))]
    heights = [len(found[target]) + (len(papers) if target == TRY_ON else 0) + 1 for target, _ in _PANELS]
    figure = new_figure(figsize=(11, 1.5 + 0.27 * sum(heights)))
    panels = figure.subplots(len(_PANELS), 1, height_ratios=heights)
    for axes, (target, title) in zip(panels, _PANELS, strict=True):
        marks = [
            (row.name, row.p50_ms, row.least_ms, row.most_ms, _COLOURS[row.side], row.peak_rss_bytes)
            for row in found[target]
        ]
        if target == TRY_ON:
            marks += [
                (f"{label}, extrapolated", paper.p50_ms, paper.least_ms, paper.most_ms, _COLOURS["paper"], None)
                for label, paper in papers
                if paper is not None
            ]
        marks.sort(key=lambda mark: -(mark[1] or 0.0))
        for place, (_, p50, least, most, colour, peak) in enumerate(marks):
            assert p50 is not None
            assert least is not None
            assert most is not None
            axes.errorbar(
                p50 / 1e3, place, xerr=[[(p50 - least) / 1e3], [(most - p50) / 1e3]], fmt="o", color=colour, capsize=3
            )
            memory = "" if peak is None else f", {peak / 1e6:.0f} MB"
            axes.annotate(
                f"{p50 / 1e3:.3g} s{memory}", (most / 1e3, place), (6, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(range(len(marks)), [mark[0] for mark in marks])
        axes.set_xscale("log")
        axes.margins(x=0.4, y=0.08)
        axes.grid(axis="x", alpha=0.3)
        axes.invert_yaxis()
        axes.set_title(title, fontsize=10, loc="left")
    panels[-1].set_xlabel("median seconds, whisker from the fastest to the slowest run; red the paper's, orange peers")
    figure.suptitle(f"{report.header.get('machine', '')}  {report.header.get('date', '')}", fontsize=9)
    return save_figure(figure, file)
