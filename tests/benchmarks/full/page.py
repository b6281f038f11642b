"""docs/performance.md out of a run's figures; what somebody wrote below the last line of it by hand stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lite_vton.model.cost import component_costs
from lite_vton.presets.table import preset
from tests.benchmarks.full.contenders import DECODER, DETAIL, ENCODER, TRY_ON, UNET
from tests.benchmarks.full.figures import Report, Row
from tests.benchmarks.full.growth_page import growth_section

__all__ = ["BY_HAND", "page", "write_page"]

BY_HAND = "<!-- Everything below this line is written by hand, and kept. -->"

_TITLES = {
    TRY_ON: "End to end",
    DETAIL: "End to end, with the garment's detail carried over",
    UNET: "One step of the U-Net",
    ENCODER: "Autoencoder: one encode",
    DECODER: "Autoencoder: one decode",
}


def write_page(report: Report, growth: Mapping[str, Any] | None, file: Path) -> None:
    """Write the page, keeping what an existing one has below `BY_HAND`."""
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    by_hand = old.partition(BY_HAND)[2].strip()
    file.write_text(page(report, growth) + f"\n{BY_HAND}\n\n{by_hand}".rstrip() + "\n", encoding="utf-8")


def page(report: Report, growth: Mapping[str, Any] | None = None) -> str:
    """Everything the command says, as Markdown."""
    parts = ["# Performance at full size", _introduction(report), _targets(report)]
    parts += [_section(report, target) for target in (TRY_ON, DETAIL, UNET, ENCODER, DECODER)]
    parts += [_ceilings(report), _notes(report)]
    if growth is not None:
        parts.append(growth_section(growth))
    return "\n\n".join(parts) + "\n"


def _gflops(model: str) -> float:
    """Of one step of a preset's U-Net."""
    return component_costs(preset(model))["unet"].flops / 1e9


def _introduction(report: Report) -> str:
    size = report.header.get("picture", "512x384")
    lines = [
        f"Everything at {size} with random weights and the same inputs, in one run, each contender in a process of its "
        "own; at each target they take turns in rounds, one running while the others wait or, where memory would not "
        "hold all of them, are ended and started anew. Every process has answered once before anything is timed. "
        "Written by the command below, nothing is carried over from an earlier run.",
        "",
        *(f"- {key}: {value}" for key, value in report.header.items()),
        "",
        f"**(a)** is the paper's teacher as a user would run it: torch float32, eager, AutoencoderKL, "
        f"{report.paper_steps} DDIM steps. **(b)** is the paper's student likewise. Both are extrapolated: two "
        f"encodes, {report.paper_steps} times the median of the timed U-Net steps, one decode. The paper's totals fit "
        "many networks; (b) is the one nearest to its 238 GFLOPs a step (preset `litemp-vton-paper`, "
        f"{_gflops('litemp-vton-paper'):.1f}), (b') is our preset `litemp-vton` ({_gflops('litemp-vton'):.1f}) in the "
        "same pipeline, which is the very network that all our rows run. "
        f"Ours sample {report.steps} steps, really run by `lite_vton_runtimes.sampling.pipeline`.",
        "",
        "| pipeline | from end to end, s | with every part at its fastest and slowest, s |",
        "|---|---:|---:|",
    ]
    for network, label in (("teacher", "(a)"), ("student", "(b)"), ("ours", "(b')")):
        paper = report.paper(network)
        if paper is None:
            lines.append(f"| {label} | not measured | |")
        else:
            lines.append(
                f"| {label} | {paper.p50_ms / 1e3:.1f} | {paper.least_ms / 1e3:.1f} to {paper.most_ms / 1e3:.1f} |"
            )
    lines += ["", "![Milliseconds of every row and peak memory](performance.png)"]
    return "\n".join(lines)


def _targets(report: Report) -> str:
    """The figures the issue asks for, beside what was reached."""
    whole, step = report.best(TRY_ON), report.best(UNET)
    peer = report.best(UNET, "peer")
    if whole is None or step is None:
        return "No figure of ours was measured."
    teacher, student = report.paper("teacher"), report.paper("student")
    _, b, same = report.references(UNET)
    rows = [
        (f"{report.steps} steps end to end, times as fast as (a)", "80", _times(report.times(whole, teacher)), whole),
        (f"{report.steps} steps end to end, times as fast as (b)", "40", _times(report.times(whole, student)), whole),
        ("one U-Net step, times as fast as (b)'s", "5", _times(report.times(step, b)), step),
        ("one U-Net step, times as fast as the same network in torch", "3.5", _times(report.times(step, same)), step),
        ("the same, share of its precision's ceiling", "75 %", _percent(report.share(step)), step),
        ("peak memory of the fastest pipeline, MB", "at most 900", _megabytes(whole.peak_rss_bytes), whole),
    ]
    if peer is not None:
        rows.append(
            (
                f"the same step, times as fast as the fastest peer ({peer.name})",
                "1",
                _times(report.times(step, peer)),
                step,
            )
        )
    lines = ["## In short", "", "| | wanted | reached | by |", "|---|---:|---:|---|"]
    lines += [f"| {what} | {wanted} | {reached} | {row.name} |" for what, wanted, reached, row in rows]
    return "\n".join(lines)


def _section(report: Report, target: str) -> str:
    whole = target in (TRY_ON, DETAIL)
    references: Sequence[Any] = (
        [report.paper(name) for name in ("teacher", "student", "ours")] if whole else report.references(target)
    )
    columns = _columns(report, references, target)
    lines = [f"## {_TITLES[target]}", ""]
    if target == ENCODER:
        lines += ["A try-on encodes twice: the masked person and the pose.", ""]
    if whole:
        lines += [_WHOLE[target].format(steps=report.steps), ""]
    lines += ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    rows = report.at(target)
    for row in sorted(rows, key=lambda row: (row.p50_ms is None, -(row.p50_ms or 0.0))):
        if row.p50_ms is None:
            lines.append(f"| {row.name} | not measured: {row.failed} |" + " |" * (len(columns) - 2))
        else:
            lines.append("| " + " | ".join(cell(row) for cell in columns.values()) + " |")
    return "\n".join(lines)


_WHOLE = {
    TRY_ON: "Two encodes, {steps} steps, one decode, and the person's own pixels put back; `detail=False`, which is "
    "what the paper's pipelines do. GFLOP/s are those of all the networks' work over the whole time.",
    DETAIL: "The same as users have it by default: one decode more, and what the autoencoder cannot hold given back.",
}


def _columns(report: Report, references: Sequence[Any], target: str) -> Mapping[str, Callable[[Row], str]]:
    a, b, same = references
    columns: dict[str, Callable[[Row], str]] = {
        "": lambda row: row.name,
        "p50 s": lambda row: _seconds(row.p50_ms),
        "least to most": lambda row: f"{_seconds(row.least_ms)} to {_seconds(row.most_ms)}",
        "runs": lambda row: str(row.runs),
        "peak RSS MB": lambda row: _megabytes(row.peak_rss_bytes),
        "GFLOPs": lambda row: f"{row.gflops:.1f}" if row.gflops < 100 else f"{row.gflops:.0f}",
        "GFLOP/s": lambda row: f"{row.gflops_per_s:.0f}" if row.gflops_per_s else "",
    }
    if target not in (TRY_ON, DETAIL):
        columns["of ceiling"] = lambda row: _percent(report.share(row))
    if target in (ENCODER, DECODER):
        columns["times as fast as (a)'s and (b)'s"] = lambda row: _times(report.times(row, a))
    else:
        columns["times (a)"] = lambda row: _times(report.times(row, a))
        columns["times (b)"] = lambda row: _times(report.times(row, b))
        columns["times (b')"] = lambda row: _times(report.times(row, same))
    columns["parity dB"] = _parity
    return columns


def _ceilings(report: Report) -> str:
    lines = [
        "## Ceilings",
        "",
        f"Products of two square matrices, {report.header.get('ceiling size', '4096')} a side, in the same run. A "
        "share above is of the fastest way in the row's precision, whoever's it is. Rows in int8 still compute a part "
        "in bfloat16.",
        "",
        "| | precision | GFLOP/s |",
        "|---|---|---:|",
    ]
    for ceiling in report.ceilings:
        reached = f"{ceiling.gflops_per_s:.0f}" if ceiling.gflops_per_s else f"not measured: {ceiling.failed}"
        lines.append(f"| {ceiling.library} | {ceiling.precision} | {reached} |")
    return "\n".join(lines)


def _notes(report: Report) -> str:
    notes = {row.name: row.note for row in report.rows if row.note}
    lines = ["## Who is who", "", *(f"- {name}: {note}" for name, note in notes.items())]
    lines += [
        "",
        "Parity is the artifact's worst call against torch float32 on a drawn pair, or of the whole the picture's; "
        "random weights, so a figure below an export's gate (marked *) says little about trained ones, and such an "
        "artifact is timed all the same. Peak RSS counts mapped files too. GFLOPs are counted "
        "(`lite_vton.model.cost`): convolutions, matrix products and attention, 2 a multiply-accumulate.",
    ]
    return "\n".join(lines)


def _parity(row: Row) -> str:
    if row.psnr_db is None:
        return ""
    cosine = "" if row.cosine is None or row.cosine > 0.9995 else f", cosine {row.cosine:.3f}"
    return f"{row.psnr_db:.1f}{cosine}{'' if row.gated else ' *'}"


def _seconds(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    seconds = milliseconds / 1e3
    return f"{seconds:.1f}" if seconds >= 10 else f"{seconds:.2f}" if seconds >= 1 else f"{seconds:.3f}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _megabytes(value: int | None) -> str:
    return "" if value is None else f"{value / 1e6:.0f}"
