"""The growth of `growth.measure_growth` as Markdown and as a picture; every figure in the prose comes from the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

from lite_vton_runtimes.benchmark.figure import new_figure, save_figure

__all__ = ["draw_growth", "growth_section", "parts_of_work", "slopes"]

_NAMES = {"unet": "U-Net", "vae_encoder": "encoder", "vae_decoder": "decoder"}


def growth_section(growth: Mapping[str, Any]) -> str:
    """The page's part on growth."""
    header = growth["header"]
    lines = [
        "## As work grows",
        "",
        "A run of its own: every point in a process of its own, one after another. OpenVINO's files are written once "
        "without a size (`tests/benchmarks/full/growth_child.py`) and given one when read, so times at the model's own "
        "size need not be those of our artifacts above; a point's memory is its process' peak.",
        "",
        *(f"- {key}: {value}" for key, value in header.items()),
        "",
        "![Time and memory over pixels, batches and steps, on logarithmic axes](performance-growth.png)",
        "",
        *_sizes(growth),
        "",
        *_batches(growth),
        "",
        *_steps(growth),
        "",
        "### Where it bends",
        "",
        *(f"- {line}" for line in _bends(growth)),
    ]
    return "\n".join(lines)


def parts_of_work(work: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """GFLOPs of one component that grow with pixels and with their square, per million pixels and its square.

    Counted work is a p + b p^2 to within the time embedding: convolutions and projections grow with the positions p,
    self-attention's two products with their square. Solved at the smallest and the largest size.
    """
    ordered = sorted(work, key=_pixels)
    (p, f), (q, g) = ((_pixels(row) / 1e6, float(row["gflops"])) for row in (ordered[0], ordered[-1]))
    square = (g / q - f / p) / (q - p)
    return f / p - square * p, max(square, 0.0)


def slopes(points: Sequence[tuple[float, float]]) -> list[float]:
    """Between neighbours of (x, y) in the order of x, the power of x that y grows with: 1 where y doubles with x."""
    ordered = sorted(points)
    return [log(y1 / y0) / log(x1 / x0) for (x0, y0), (x1, y1) in pairwise(ordered)]


def _pixels(row: Mapping[str, Any]) -> int:
    return int(row["height"] * row["width"])


def _at_batch(growth: Mapping[str, Any], label: str, batch: int | None) -> list[Mapping[str, Any]]:
    """The measured points of a curve: over sizes at batch 1, or with None over batches at the model's own size."""
    own = growth["own"]
    rows = [row for row in growth["points"] if row["curve"] == label and row["ms"] is not None]
    if batch is None:
        return [row for row in rows if [row["height"], row["width"]] == own]
    return [row for row in rows if row["batch"] == batch]


def _sizes(growth: Mapping[str, Any]) -> list[str]:
    places = sorted({(row["height"], row["width"]) for row in growth["points"]})
    lines = [
        "| seconds (GFLOP/s; peak MB) | " + " | ".join(f"{h}x{w}" for h, w in places) + " | grows with pixels to the |",
        "|---|" + "---:|" * (len(places) + 1),
    ]
    for curve in growth["curves"]:
        rows = {(row["height"], row["width"]): row for row in _at_batch(growth, curve["label"], 1)}
        cells = [_cell(rows.get(place)) for place in places]
        powers = ", ".join(f"{power:.2f}" for power in slopes([(_pixels(row), row["ms"]) for row in rows.values()]))
        lines.append(f"| {curve['label']} | " + " | ".join(cells) + f" | {powers} |")
    return lines


def _batches(growth: Mapping[str, Any]) -> list[str]:
    batches = sorted({row["batch"] for row in growth["points"]})
    height, width = growth["own"]
    lines = [
        f"| at {height}x{width}, seconds a picture | " + " | ".join(f"batch {batch}" for batch in batches) + " |",
        "|---|" + "---:|" * len(batches),
    ]
    for curve in growth["curves"]:
        rows = {row["batch"]: row for row in _at_batch(growth, curve["label"], None)}
        cells = [
            f"{rows[b]['ms'] / 1e3 / b:.3g}, {_megabytes(rows[b])} MB" if b in rows else "not measured" for b in batches
        ]
        lines.append(f"| {curve['label']} | " + " | ".join(cells) + " |")
    return lines


def _steps(growth: Mapping[str, Any]) -> list[str]:
    counts = sorted({row["steps"] for row in growth["steps"]})
    lines = [
        "| try-on with the tiny autoencoder, seconds | "
        + " | ".join(f"{count} step{'s' if count > 1 else ''}" for count in counts)
        + " |",
        "|---|" + "---:|" * len(counts),
    ]
    for engine, precision in dict.fromkeys((row["engine"], row["precision"]) for row in growth["steps"]):
        rows = {
            row["steps"]: row for row in growth["steps"] if (row["engine"], row["precision"]) == (engine, precision)
        }
        cells = [f"{rows[c]['ms'] / 1e3:.3g}" if rows[c]["ms"] is not None else rows[c]["failed"] for c in counts]
        lines.append(f"| {engine} {precision} | " + " | ".join(cells) + " |")
    return lines


def _bends(growth: Mapping[str, Any]) -> list[str]:
    lines = []
    height, width = growth["own"]
    for component, autoencoder in dict.fromkeys((row["component"], row["autoencoder"]) for row in growth["work"]):
        work = [row for row in growth["work"] if (row["component"], row["autoencoder"]) == (component, autoencoder)]
        linear, square = parts_of_work(work)
        name = _NAMES[component] if component == "unet" else f"{autoencoder} {_NAMES[component]}"
        if square * max(map(_pixels, work)) / 1e6 < 0.005 * linear:
            lines.append(f"{name}: counted work grows with the pixels and nothing else; it has no self-attention.")
            continue
        shares = ", ".join(
            f"{square * p / (linear + square * p):.0%} at {row['height']}x{row['width']}"
            for row in sorted(work, key=_pixels)
            for p in [_pixels(row) / 1e6]
        )
        even = linear / square * 1e6 / (height * width)
        lines.append(
            f"{name}: of the counted work, self-attention's quadratic part is {shares}; it would overtake everything "
            f"else at {even:.1f} times the pixels of {height}x{width}."
        )
    lines += [_fixed(growth, curve) for curve in growth["curves"] if curve["component"] == "unet"]
    for curve in growth["curves"]:
        rows = sorted(_at_batch(growth, curve["label"], 1), key=_pixels)
        if len(rows) > 1:
            speeds = [row["gflops"] / row["ms"] * 1e3 for row in rows]
            best = max(range(len(rows)), key=lambda place: speeds[place])
            lines.append(
                f"{curve['label']}: fastest at {rows[best]['height']}x{rows[best]['width']} with {speeds[best]:.0f} "
                f"GFLOP/s; {speeds[-1] / speeds[best]:.0%} of that at the largest size, "
                f"{speeds[0] / speeds[best]:.0%} at the smallest."
            )
    lines += _steps_fit(growth)
    return lines


def _fixed(growth: Mapping[str, Any], curve: Mapping[str, Any]) -> str:
    rows = sorted(_at_batch(growth, curve["label"], 1), key=_pixels)
    work = next(row for row in growth["work"] if row["component"] == curve["component"])
    size = work["parameters"] * {"fp32": 4, "bf16": 2, "int8": 1}[curve["precision"]]
    if not rows:
        return f"{curve['label']}: not measured."
    seconds = size / (growth["bandwidth_gb_per_s"] * 1e9)
    return (
        f"{curve['label']}: every call reads {size / 1e6:.0f} MB of weights whatever the size, which at the "
        f"{growth['bandwidth_gb_per_s']:.1f} GB/s that memory gave takes {seconds * 1e3:.0f} ms, "
        f"{seconds * 1e3 / rows[0]['ms']:.0%} of a call at {rows[0]['height']}x{rows[0]['width']} and "
        f"{seconds * 1e3 / rows[-1]['ms']:.0%} at {rows[-1]['height']}x{rows[-1]['width']}."
    )


def _steps_fit(growth: Mapping[str, Any]) -> list[str]:
    lines = []
    for engine, precision in dict.fromkeys((row["engine"], row["precision"]) for row in growth["steps"]):
        rows = [row for row in growth["steps"] if (row["engine"], row["precision"]) == (engine, precision)]
        points = sorted((row["steps"], row["ms"]) for row in rows if row["ms"] is not None)
        if len(points) < 2:
            continue
        (first, least), (last, most) = points[0], points[-1]
        each = (most - least) / (last - first)
        fixed = least - first * each
        lines.append(
            f"steps, {engine} {precision}: {fixed / 1e3:.2f} s for what is done once (two encodes, one decode) and "
            f"{each / 1e3:.3f} s a step; the steps take over at {max(fixed / each, 0):.1f}."
        )
    return lines


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "not measured"
    return f"{row['ms'] / 1e3:.3g} ({row['gflops'] / row['ms'] * 1e3:.0f}; {_megabytes(row)})"


def _megabytes(row: Mapping[str, Any]) -> str:
    return "unknown" if row["peak_rss_bytes"] is None else f"{row['peak_rss_bytes'] / 1e6:.0f}"


def draw_growth(growth: Mapping[str, Any], file: Path) -> Path:
    """Four panels, all axes logarithmic: time and memory over pixels, time over batch, time over steps."""
    figure = new_figure(figsize=(12, 9))
    (time, memory), (batch, steps) = figure.subplots(2, 2)
    for place, curve in enumerate(growth["curves"]):
        style = {"marker": "o", "color": f"C{place}", "linestyle": "--" if curve["engine"] == "torch" else "-"}
        sizes = sorted(_at_batch(growth, curve["label"], 1), key=_pixels)
        pixels = [_pixels(row) for row in sizes]
        time.plot(pixels, [row["ms"] / 1e3 for row in sizes], label=curve["label"], **style)
        memory.plot(pixels, [(row["peak_rss_bytes"] or float("nan")) / 1e6 for row in sizes], **style)
        several = sorted(_at_batch(growth, curve["label"], None), key=lambda row: row["batch"])
        batch.plot([row["batch"] for row in several], [row["ms"] / 1e3 for row in several], **style)
    for place, (engine, precision) in enumerate(
        dict.fromkeys((row["engine"], row["precision"]) for row in growth["steps"])
    ):
        rows = [r for r in growth["steps"] if (r["engine"], r["precision"]) == (engine, precision) and r["ms"]]
        steps.plot(
            [row["steps"] for row in rows],
            [row["ms"] / 1e3 for row in rows],
            marker="o",
            color=f"C{place}",
            linestyle="--" if engine == "torch" else "-",
            label=f"{engine} {precision}",
        )
    pictures = {_pixels(row): f"{row['height']}x{row['width']}" for row in growth["points"]}
    batches = {row["batch"]: str(row["batch"]) for row in growth["points"]}
    counts = {row["steps"]: str(row["steps"]) for row in growth["steps"]}
    for axes, across, ticks, up in (
        (time, "picture", pictures, "seconds"),
        (memory, "picture", pictures, "peak RSS MB"),
        (batch, "batch at the model's own size", batches, "seconds"),
        (steps, "steps of a try-on, tiny autoencoder", counts, "seconds"),
    ):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.xaxis.minorticks_off()
        axes.grid(alpha=0.25)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
    figure.legend(*time.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    steps.legend(fontsize=8)
    figure.suptitle(f"{growth['header'].get('machine', '')}  {growth['header'].get('date', '')}", fontsize=9)
    return save_figure(figure, file)
