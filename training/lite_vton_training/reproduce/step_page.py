"""docs/few-steps.md from the trials' figures: everything it says about them is computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from statistics import mean

from lite_vton_training.reproduce.step_trials import STUDENT, TEACHER, WAYS, Found, StepBudget

__all__ = ["StepResults", "step_page"]

StepResults = Mapping[str, Mapping[int, Found]]
"""By row and seed; a network that nobody trained stands under seed 0 alone."""

_COLUMNS = (
    ("psnr_in_mask", "PSNR in mask, dB", 2),
    ("ssim", "SSIM", 4),
    ("psnr_to_teacher", "PSNR to the teacher's picture, dB", 2),
    ("sharpness", "sharpness", 3),
)


def step_page(results: StepResults, budget: StepBudget, command: str, ran: str) -> str:
    """The page as Markdown; `ran` says on what and when."""
    lines = ["# Few steps", "", *_about(budget, command, ran), ""]
    for count in (budget.many, 8, *budget.counts):
        rows = [row for row in (TEACHER, STUDENT, *WAYS) if _values(results, row, count, "ssim")]
        lines += [f"## {count} step{'' if count == 1 else 's'}", ""]
        lines += ["|  | " + " | ".join(heading for _, heading, _ in _COLUMNS) + " |", "|---|" + "---|" * len(_COLUMNS)]
        lines += [f"| {row} | " + " | ".join(_cells(results, row, count)) + " |" for row in rows]
        lines.append("")
    absent = [way for way in WAYS if way not in results]
    if absent:
        lines += ["", f"Not run yet: {', '.join(absent)}."]
    return "\n".join(lines) + "\n"


def _about(budget: StepBudget, command: str, ran: str) -> list[str]:
    size = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(budget).items())
    return [
        f"Written by `{command}`. The demo student that comes with the package is taught to sample in few steps, each "
        "way with the same pairs and number of updates. *progressive* halves steps in stages (arXiv:2202.00512) and "
        "has a network a count; *consistency* lands where one small step and its own jump from there lead "
        "(arXiv:2303.01469); *trajectory* where all small steps lead, its own as it was, or the teacher's; *and truth* "
        "adds the usual loss. These have one network for all counts.",
        "",
        f"Budget: {size}. {ran}",
        "",
        f"{budget.held_out} held-out drawn people in their own garment, DDIM from the same noise for all, detail "
        f"carried over; the teacher's picture is that of {budget.many} steps. Sharpness is the energy of the gradient "
        "inside the mask, without carried detail, over the photograph's (1: as sharp; median of the people).",
    ]


def _cells(results: StepResults, row: str, count: int) -> Iterator[str]:
    for key, _, digits in _COLUMNS:
        values = _values(results, row, count, key)
        if row == TEACHER and key == "psnr_to_teacher" and values and values[0] >= 99:
            yield "itself"
        else:
            seeds = f" ({len(values)})" if row in WAYS else ""
            yield f"{mean(values):.{digits}f}{seeds}" if values else ""


def _values(results: StepResults, row: str, count: int, key: str) -> list[float]:
    found = (figures.get(str(count), {}).get(key) for figures in results.get(row, {}).values())
    return [value for value in found if value is not None]
