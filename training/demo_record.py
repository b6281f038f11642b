"""`recipe.json` beside the demo weights: what they were made by, of what, on what machine, in which time."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from training.mix.kinds import Kinds
from training.stages import Clock

__all__ = ["write_record"]

FILE = "recipe.json"


def write_record(
    assets: Path,
    recipe: Mapping[str, object],
    clock: Clock,
    kinds: Kinds,
    kept: Sequence[str] = (),
    before: Mapping[str, object] | None = None,
) -> None:
    """Write it into `assets`; `before` is the record of the run that what was `kept` is from."""
    record = {
        "recipe": recipe,
        "pairs": {kind: len(pictures) for kind, pictures in kinds.items()},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "minutes": clock.minutes(),
        "date": time.strftime("%Y-%m-%d"),
        **({} if before is None else {"kept": list(kept), "before": before}),
    }
    (assets / FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
