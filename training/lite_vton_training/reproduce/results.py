"""What the trials' results say: means, spreads, differences seed by seed, and whether an expected order comes out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lite_vton.errors import UserError
from lite_vton_training.loop.json_object import read_object

__all__ = [
    "FIGURES",
    "Figure",
    "Results",
    "Spread",
    "order_statement",
    "paired",
    "read_recorded",
    "read_results",
    "spread",
    "together",
]

Results = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""By row and seed: the content of a trial's `result.json`."""


@dataclass(frozen=True)
class Figure:
    """A column: its key in a result's `figures`, and whether more is `better` (+1), less (-1), or neither (0)."""

    key: str
    heading: str
    digits: int
    better: int


FIGURES = (
    Figure("psnr_in_mask", "PSNR in mask, dB", 2, 1),
    Figure("ssim", "SSIM", 4, 1),
    Figure("lpips", "LPIPS", 4, -1),
    Figure("fid", "FID", 2, -1),
    Figure("kid", "KID ×1000", 2, -1),
    Figure("psnr_to_teacher", "PSNR to the teacher's picture, dB", 2, 1),
    Figure("cka", "CKA to the teacher", 3, 0),
    Figure("own_distance", "own distance", 3, 0),
    Figure("attention", "share attended to", 3, 0),
)


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1; None for a single value) of `values`, one a seed."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Arithmetic."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float | None:
        """Of a seed, not of the mean."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None

    def text(self, digits: int, sign: str = "") -> str:
        """`18.50 ± 0.12 (3)`, in brackets the number of seeds."""
        spread = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:{sign}.{digits}f}{spread} ({len(self.values)})"


def read_results(folder: Path, rows: Iterable[str]) -> Results:
    """Those of `rows` that are there; `UserError` for one that is damaged."""
    found: dict[str, dict[int, Any]] = {}
    for row in rows:
        files = {int(file.parent.name): file for file in (folder / row).glob("*/result.json")}
        if files:
            found[row] = {seed: _result(file) for seed, file in sorted(files.items())}
    return found


def _result(file: Path) -> Mapping[str, Any]:
    try:
        found = read_object(file)
    except UserError as error:
        raise UserError(f"{error}: delete its folder, and the same command makes it again") from error
    if not isinstance(found.get("figures"), dict):
        raise UserError(f"{file} holds no figures: delete its folder, and the same command makes it again")
    return found


def read_recorded(page_json: Path) -> Results:
    """What `docs/results.json` says of trials whose own folders may be gone; nothing where there is no such file.

    `UserError` for a file that holds something else.
    """
    if not page_json.is_file():
        return {}
    try:
        read: dict[str, Any] = read_object(page_json)  # what is not of this shape is caught
        found = {row: {int(seed): dict(result) for seed, result in seeds.items()} for row, seeds in read.items()}
        complete = all("figures" in result for seeds in found.values() for result in seeds.values())
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{page_json} holds no results ({error}): restore it, or remove it") from error
    if not complete:
        raise UserError(f"{page_json} holds results without figures: restore it, or remove it")
    return found


def together(recorded: Results, at_hand: Results, rows: Iterable[str]) -> Results:
    """Both, in the order of `rows`; a trial at hand takes the place of the same one recorded."""
    found = {}
    for row in rows:
        seeds = {**recorded.get(row, {}), **at_hand.get(row, {})}
        if seeds:
            found[row] = dict(sorted(seeds.items()))
    return found


def spread(results: Results, row: str, figure: str) -> Spread | None:
    """Over the seeds of `row`; None where it has no such figure."""
    values = tuple(_values(results, row, figure).values())
    return Spread(values) if values else None


def paired(results: Results, row: str, baseline: str, figure: str) -> Spread | None:
    """`row` minus `baseline`, seed by seed, over the seeds that both have; None where there is none."""
    mine, theirs = _values(results, row, figure), _values(results, baseline, figure)
    values = tuple(mine[seed] - theirs[seed] for seed in mine if seed in theirs)
    return Spread(values) if values else None


def order_statement(results: Results, order: Sequence[str], figure: Figure, whose: str = "the paper's") -> str:
    """Whether rows come out in `order`, worst first, by `figure`; said with the difference of each two neighbours.

    One row is above another if it is better with every seed; if seeds disagree, the two are not told apart.
    """
    there = [row for row in order if _values(results, row, figure.key)]
    absent = [row for row in order if row not in there]
    parts, verdicts = [], []
    for lower, upper in pairwise(there):
        difference = paired(results, upper, lower, figure.key)
        if difference is None:
            parts.append(f"{upper} and {lower} have no seed in common")
            verdicts.append(False)
            continue
        gains = [figure.better * value for value in difference.values]
        above, below = all(gain > 0 for gain in gains), all(gain < 0 for gain in gains)
        verdict = "better than" if above else "worse than" if below else "not told apart from"
        parts.append(f"{upper} is {verdict} {lower} ({difference.text(figure.digits, '+')})")
        verdicts.append(above)
    expected = f"{whose[0].upper()}{whose[1:]} order, {' < '.join(order)},"
    if len(there) < 2:
        return f"{expected} cannot be judged yet: {', '.join(absent)} not run."
    outcome = "comes out" if all(verdicts) else "does not come out"
    without = f" (without {', '.join(absent)}, not run)" if absent else ""
    seeds = min(len(_values(results, row, figure.key)) for row in there)
    alone = " One seed alone says nothing about chance." if seeds == 1 else ""
    return f"{expected} {outcome} by {figure.heading}{without}: {'; '.join(parts)}.{alone}"


def _values(results: Results, row: str, figure: str) -> dict[int, float]:
    found = {seed: result["figures"].get(figure) for seed, result in results.get(row, {}).items()}
    return {seed: value for seed, value in found.items() if value is not None and not math.isnan(value)}
