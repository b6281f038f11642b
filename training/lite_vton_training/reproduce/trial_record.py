"""What is written down of a finished trial, and whether what a page recorded earlier says the same trial is done."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lite_vton.errors import UserError
from lite_vton_training.loop.log import read_log
from lite_vton_training.reproduce.rows import Budget, Row

__all__ = ["Circumstances", "logged_figures"]

LAST = 20
"""Steps at the end of a run over which its logged terms are averaged."""


@dataclass(frozen=True)
class Circumstances:
    """All that a trial's figures depend on beside its row and seed.

    `weights` is the digest of the autoencoder and the teacher that come with the package
    (`lite_vton_training.loop.weights_digest`). `tower` says where CLIP's tokens come from in rows that have them:
    "given" with `--clip`, else "stand-in".
    """

    budget: Budget
    bf16: bool
    weights: str
    tower: str

    def settings(self) -> dict[str, Any]:
        """Of every row: what a folder of results is marked with."""
        return {"budget": asdict(self.budget), "bf16": self.bf16, "weights": self.weights}

    def record(self, row: Row, seed: int, **measured: object) -> dict[str, Any]:
        """The content of `result.json`: row, seed, circumstances, machine and date, and what was `measured`."""
        return {
            "row": asdict(row),
            "seed": seed,
            **self.settings(),
            **self._tower_of(row),
            **measured,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
            "threads": torch.get_num_threads(),
            "date": time.strftime("%Y-%m-%d"),
        }

    def are_those_of(self, result: Mapping[str, Any], row: Row) -> bool:
        """Whether `result` is of `row` as it is now and under these circumstances, on whatever machine."""
        wanted = json.loads(json.dumps({"row": asdict(row), **self.settings(), **self._tower_of(row)}))
        return all(result.get(name) == value for name, value in wanted.items())

    def _tower_of(self, row: Row) -> dict[str, str]:
        return {"tower": self.tower} if row.has_tokens else {}


def logged_figures(log: Path, row: Row) -> dict[str, float | None]:
    """The end of the log: the loss on noise, CKA and attention as means over taps, and the features' own distance."""
    lines = read_log(log)
    found: dict[str, float | None] = {"noise": _mean([line.get("noise") for line in lines[-LAST:]], log)}
    for kind in ("cka", "attention"):
        taps = [name for name in lines[0] if name.startswith(f"{kind}.")]
        if taps:
            measured = [line for line in lines if line[taps[0]] is not None]
            found[kind] = _mean([measured[-1][tap] for tap in taps] if measured else [], log)
    if "feature" in lines[0]:
        found["own_distance"] = _mean([line["feature"] for line in lines[-LAST:]], log) / row.losses.feature
    return found


def _mean(values: Sequence[float | None], log: Path) -> float:
    whole = [value for value in values if value is not None]
    if not whole:
        raise UserError(f"{log} lacks losses: delete its folder, and the same command trains again")
    return float(np.mean(whole))
