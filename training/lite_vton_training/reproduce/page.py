"""docs/results.md from the trials' results: everything it says about them is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType

from lite_vton_training.reproduce.results import FIGURES, Results, order_statement, paired, spread
from lite_vton_training.reproduce.rows import ROWS, TABLES, Budget, Table

__all__ = ["page"]

_JUDGED = ("psnr_in_mask", "ssim", "lpips", "fid", "kid")
"""Figures by which an order is judged, as far as they are there."""


def page(
    results: Results,
    budget: Budget,
    command: str,
    pictures: Mapping[str, Sequence[str]] = MappingProxyType({}),
    figures: str = "results.json",
) -> str:
    """The page as Markdown; `pictures` are files beside it, `results-TABLE...`, with the rows that each shows."""
    lines = ["# The tables, in small", "", *_about(results, budget, command), ""]
    lines += [f"Every figure of every trial: [{figures}]({figures}).", ""]
    for key, table in TABLES.items():
        lines += [f"## {table.title}", "", table.about, ""]
        there = [row for row in table.rows if row in results]
        absent = [row for row in table.rows if row not in results]
        if there:
            lines += [*_table(results, table, there), ""]
        lines += _statements(results, table)
        if absent:
            lines += [f"Not run yet: {', '.join(absent)}.", ""]
        lines += _tower(results, there)
        for name, shown in pictures.items():
            if name.startswith(f"results-{key}-"):
                lines += [f"![{table.title}]({name})", "", *_caption(shown, there)]
    return "\n".join(lines).rstrip() + "\n"


def _about(results: Results, budget: Budget, command: str) -> list[str]:
    found = [result for seeds in results.values() for result in seeds.values()]
    size = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(budget).items())
    lines = [
        f"Written by `{command}`, which trains what is missing and goes on where it was stopped. Every row has the "
        "same drawn pairs and number of steps, and with the same seed the same samples in the same order.",
        "",
        f"Budget: {size}.",
        "",
        f"{budget.held_out} held-out drawn people in their own garment, "
        "the person's own pixels outside the mask, DDIM from the same "
        "noise for all; the protocol is [evaluation.md](evaluation.md)'s, its noise torch's instead of numpy's. Mean ± "
        "standard deviation over seeds, in brackets how many; differences are taken seed by seed. One row is called "
        "better than another where it is better with every seed: of three seeds that happens by chance one time in "
        "four, either way.",
    ]
    if found:
        machines = sorted({f"{result['machine']}, threads of torch {result['threads']}" for result in found})
        dates = sorted({str(result["date"]) for result in found})
        arithmetic = " and ".join(sorted({"bfloat16" if result["bf16"] else "float32" for result in found}))
        minutes = sum(result["minutes"] or 0 for result in found)
        when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        ran = f"{len(found)} trials, {minutes / 60:.1f} hours of training in {arithmetic}"
        lines += ["", f"{ran}, on {'; '.join(machines)}; {when}."]
        if all(result["figures"].get("lpips") is None for result in found):
            lines += ["", "LPIPS, FID and KID are left out: their networks' weights were not at hand."]
    return lines


def _table(results: Results, table: Table, rows: Sequence[str]) -> list[str]:
    shown = [figure for figure in FIGURES if any(spread(results, row, figure.key) for row in rows)]
    headings = [""]
    for figure in shown:
        headings.append(figure.heading)
        if figure.key in _JUDGED:
            headings.append(f"minus {table.baseline}")
    lines = [_line(headings), "|" + "---|" * len(headings)]
    for row in rows:
        cells = [row]
        for figure in shown:
            found = spread(results, row, figure.key)
            cells.append("" if found is None else found.text(figure.digits))
            if figure.key in _JUDGED:
                apart = None if row == table.baseline else paired(results, row, table.baseline, figure.key)
                cells.append("" if apart is None else apart.text(figure.digits, "+"))
        lines.append(_line(cells))
    return lines


def _statements(results: Results, table: Table) -> list[str]:
    judged = [figure for figure in FIGURES if figure.key in _JUDGED]
    told = [figure for figure in judged if sum(spread(results, row, figure.key) is not None for row in table.order) > 1]
    lines = [f"- {order_statement(results, table.order, figure, table.whose)}" for figure in told or judged[:1]]
    return [*lines, ""]


def _caption(shown: Sequence[str], there: Sequence[str]) -> list[str]:
    """Which rows a picture lacks: those of which only the figures are at hand."""
    lacking = [row for row in there if row not in shown]
    if not shown or not lacking:
        return []
    return [f"*Shown: {', '.join(shown)}. Of {', '.join(lacking)} only the figures are left.*", ""]


def _tower(results: Results, rows: Sequence[str]) -> list[str]:
    """Whose tokens the rows with an image tower have."""
    with_tokens = [result for row in rows if ROWS[row].has_tokens for result in results[row].values()]
    if not with_tokens:
        return []
    if with_tokens[0]["tower"] == "given":
        return ["The tokens are those of CLIP's image tower.", ""]
    found, of = with_tokens[0]["tower_found_again"], with_tokens[0]["budget"]["held_out"]
    return [
        "CLIP's image tower does not come with the package and was not at hand: a tower trained here on drawn garments "
        "stands in for CLIP (training/lite_vton_training/reproduce/garment_tower.py). It was taught "
        f"to find a garment again as it is worn, and finds {100 * found:.0f} % of {of} held-out ones among each other "
        f"(by chance {100 / of:.1f} %). What those of the real one, trained on 400 million photographs, would "
        "add is not shown by this; `--clip` takes it.",
        "",
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
