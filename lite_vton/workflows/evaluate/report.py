"""What `lite-vton eval` found out, as a table, as JSON and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lite_vton_training.metrics import Figures, Scores, Similarity
    from lite_vton_training.metrics.backbones import LeftOut, Source

__all__ = ["Judged", "Judgement", "as_json", "as_markdown", "as_table", "rows_as_json"]

PROTOCOL = {
    "psnr": "8-bit RGB, peak 255, mean of the pictures' PSNRs",
    "ssim": "Gaussian window 11x11, sigma 1.5, data range 1, mean over RGB (torchmetrics)",
    "haarpsi": "3 scales, C 30, alpha 4.2, in colour, at half the size",
    "lpips": "AlexNet, version 0.1, pictures in [-1, 1]",
    "fid": "Inception v3 (2015), 2048 features, Pillow bicubic to 299x299 without rounding, against the same people",
    "kid": "the same features, cubic kernel, 100 subsets of 1000 or all, seed 0, times 1000",
    "masked": "means over the repainted pixels; the windows of SSIM, HaarPSI and LPIPS reach beyond them",
    "repainted": "the person's own pixels outside the mask, no feathering",
}
"""The protocol in one line a metric; docs/evaluation.md has the reasons."""


@dataclass(frozen=True)
class Judged:
    """One way to make a try-on, and how it scored. Times include nothing but the painting; None if not painted here."""

    key: str
    what: str
    scores: Scores
    ms_per_pair: float | None


@dataclass(frozen=True)
class Judgement:
    """All rows, and what somebody needs to know to get the same figures. Sampling is None for others' results."""

    rows: tuple[Judged, ...]
    data: str
    paired: bool
    height: int
    width: int
    sampler: str | None
    steps: int | None
    seed: int | None
    detail: bool | None
    mask: str
    sources: tuple[Source, ...]
    left_out: tuple[LeftOut, ...]
    skipped: tuple[str, ...]

    @property
    def pairs(self) -> int:
        """How many were judged."""
        return self.rows[0].scores.pairs


def rows_as_json(judgement: Judgement) -> list[dict[str, Any]]:
    """A row each: the headline figures, and all others under `repainted` and `raw`. None where there is none."""
    return [
        {
            "what": row.what,
            "pairs": row.scores.pairs,
            "psnr_in_mask": _known(row.scores.psnr_in_mask),
            "ssim": _known(row.scores.ssim),
            "ms_per_pair": row.ms_per_pair,
            "repainted": asdict(row.scores.repainted),
            "raw": asdict(row.scores.raw),
        }
        for row in judgement.rows
    ]


def as_json(judgement: Judgement) -> dict[str, Any]:
    """The content of `eval.json`."""
    return {
        "data": judgement.data,
        "pairs": judgement.pairs,
        "paired": judgement.paired,
        "height": judgement.height,
        "width": judgement.width,
        "sampler": judgement.sampler,
        "steps": judgement.steps,
        "seed": judgement.seed,
        "detail": judgement.detail,
        "mask": judgement.mask,
        "protocol": PROTOCOL,
        "weights": [asdict(source) for source in judgement.sources],
        "left_out": [asdict(left_out) for left_out in judgement.left_out],
        "skipped": list(judgement.skipped),
        "rows": rows_as_json(judgement),
    }


@dataclass(frozen=True)
class _Column:
    heading: str
    digits: int
    value: Callable[[Figures], float | None]


def _whole(name: str) -> Callable[[Figures], float | None]:
    return lambda figures: _of(figures.whole, name)


def _masked(name: str) -> Callable[[Figures], float | None]:
    return lambda figures: _of(figures.masked, name)


_COLUMNS = (
    _Column("PSNR", 2, _whole("psnr")),
    _Column("SSIM", 4, _whole("ssim")),
    _Column("HaarPSI", 4, _whole("haarpsi")),
    _Column("LPIPS", 4, _whole("lpips")),
    _Column("PSNR in mask", 2, _masked("psnr")),
    _Column("SSIM in mask", 4, _masked("ssim")),
    _Column("HaarPSI in mask", 4, _masked("haarpsi")),
    _Column("LPIPS in mask", 4, _masked("lpips")),
    _Column("FID", 2, lambda figures: figures.fid),
    _Column("KID ×1000", 2, lambda figures: None if figures.kid is None else figures.kid.mean),
)


def as_table(judgement: Judgement) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and rows for the terminal: the headline figures, with repaint; no column that would be empty."""
    shown: dict[str, Sequence[str]] = {
        "": [row.what for row in judgement.rows],
        "PSNR in mask": [_text(row.scores.psnr_in_mask, 2, " dB") for row in judgement.rows],
        "SSIM": [_text(row.scores.ssim, 4) for row in judgement.rows],
        "HaarPSI": [_text(_of(row.scores.repainted.whole, "haarpsi"), 4) for row in judgement.rows],
        "LPIPS": [_text(_of(row.scores.repainted.whole, "lpips"), 4) for row in judgement.rows],
        "FID": [_text(row.scores.repainted.fid, 2) for row in judgement.rows],
        "KID x1000": [_text(_COLUMNS[-1].value(row.scores.repainted), 2) for row in judgement.rows],
        "ms a pair": [_text(row.ms_per_pair, 0) for row in judgement.rows],
    }
    kept = {heading: cells for heading, cells in shown.items() if any(cells)}
    return tuple(kept), list(zip(*kept.values(), strict=True))


def as_markdown(judgement: Judgement) -> str:
    """The content of `eval.md`: a table with repaint, one without, and the protocol."""
    how = "" if judgement.steps is None else f", {judgement.sampler}, {judgement.steps} steps, seed {judgement.seed}"
    kind = "the person's own garment" if judgement.paired else "another one's garment"
    lines = [
        "# Evaluation",
        "",
        f"{judgement.pairs} pairs of {judgement.data}, {kind}, {judgement.mask} masks, "
        f"{judgement.height}×{judgement.width}{how}.",
        "",
    ]
    kinds: tuple[tuple[str, Callable[[Scores], Figures]], ...] = (
        ("With the person's own pixels outside the mask", lambda scores: scores.repainted),
        ("As painted, without repaint", lambda scores: scores.raw),
    )
    for title, pick in kinds:
        lines += [f"## {title}", "", *_markdown_table(judgement, pick), ""]
    lines += [f"{left_out.metrics} left out: {left_out.why}.\n" for left_out in judgement.left_out]
    lines += [
        f"{source.metrics} with {source.file}, SHA-256 {source.sha256[:16]}"
        + (".\n" if source.published else ", which is not the published file: compare these figures with nobody's.\n")
        for source in judgement.sources
    ]
    if judgement.skipped:
        lines += [f"Skipped, {len(judgement.skipped)}:", "", *(f"- {fault}" for fault in judgement.skipped), ""]
    lines += ["## Protocol", "", *(f"- {name}: {text}" for name, text in PROTOCOL.items()), ""]
    return "\n".join(lines)


def _markdown_table(judgement: Judgement, pick: Callable[[Scores], Figures]) -> list[str]:
    rows = [[_text(column.value(pick(row.scores)), column.digits) for column in _COLUMNS] for row in judgement.rows]
    kept = [number for number in range(len(_COLUMNS)) if any(row[number] for row in rows)]
    headings = ["", *(_COLUMNS[number].heading for number in kept)]
    lines = [_line(headings), "|" + "---|" * len(headings)]
    return lines + [
        _line([judged.what, *(row[number] for number in kept)])
        for judged, row in zip(judgement.rows, rows, strict=True)
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _of(similarity: Similarity | None, name: str) -> float | None:
    value: float | None = None if similarity is None else getattr(similarity, name)
    return value


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _text(value: float | None, digits: int, unit: str = "") -> str:
    return "" if _known(value) is None else f"{value:.{digits}f}{unit}"
