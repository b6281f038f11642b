"""What `unet_choices.py` found, as Markdown tables."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["tables"]

_BACKENDS = ("torch fp32", "onnxruntime fp32", "openvino bf16", "openvino int8")
_SIZES = {1: "Full size", 2: "Half the channels, at the full latent"}


def tables(rows: Sequence[tuple[str, str]], folder: Path) -> str:
    """Every table that `folder` holds figures of; `rows` are names of choices and what they are, in order."""
    said = ["| choice | what it is |\n|---|---|", *(f"| {name} | {about} |" for name, about in rows)]
    parts = ["\n".join(said)]
    for divide, title in _SIZES.items():
        found = {name: _read(folder / f"latency-{divide}/{name}.json") for name, _ in rows}
        if any(found.values()):
            parts.append(
                f"**{title}**: seconds a step, the median of a round-robin (best in brackets)\n\n{_timed(found)}"
            )
    judged = {name: sorted((folder / name).glob("*/quality.json")) for name, _ in rows}
    if any(judged.values()):
        parts.append(f"**Distilled at the demo's size**\n\n{_judged(judged)}")
    return "\n\n".join(parts)


def _timed(found: dict[str, Any]) -> str:
    heads = ("choice", "M", "GFLOPs", *_BACKENDS, "in convolutions", "moves", "attentions", "norms")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, figures in found.items():
        if figures is None:
            continue
        times = (figures["seconds"][backend] for backend in _BACKENDS)
        engine = figures["engine"]
        cells = (
            name,
            f"{figures['parameters'] / 1e6:.1f}",
            f"{figures['flops'] / 1e9:.1f}",
            *(f"{each['median']:.3f} ({each['best']:.3f})" for each in times),
            f"{engine['in_convolutions']:.0%}",
            *(str(engine[key]) for key in ("moves", "attentions", "norms")),
        )
        lines.append("| " + " | ".join(cells) + " |")
    dates = sorted({figures["date"] for figures in found.values() if figures})
    threads = sorted({str(figures["threads"]) for figures in found.values() if figures})
    return "\n".join(lines) + f"\n\nThreads: {' and '.join(threads)}; {' to '.join(dates)}. M counts AutoencoderKL too."


def _judged(judged: dict[str, list[Path]]) -> str:
    lines = ["| choice | seeds | PSNR in mask, dB | SSIM | PSNR to the teacher's picture, dB | M |", "|---" * 6 + "|"]
    for name, files in judged.items():
        if files:
            every = [_read(file) for file in files]
            means = {key: statistics.fmean(each[key] for each in every) for key in every[0]}
            lines.append(
                f"| {name} | {len(files)} | {means['psnr_in_mask']:.2f} | {means['ssim']:.4f} "
                f"| {means['psnr_to_teacher']:.2f} | {means['parameters'] / 1e6:.2f} |"
            )
    return "\n".join(lines)


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
