"""`recipe.json` beside the demo weights: what they were made by, of what, on what machine, in which time."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from lite_vton.atomic import write_text
from lite_vton_training.loop.json_object import read_object
from lite_vton_training.loop.stages import Clock
from lite_vton_training.mix.kinds import Kinds

__all__ = ["RECORD", "read_record", "record_of", "write_record"]

RECORD = "recipe.json"
"""Its name."""


def record_of(
    recipe: Mapping[str, object],
    clock: Clock,
    kinds: Kinds,
    kept: Sequence[str] = (),
    before: Mapping[str, object] | None = None,
) -> Mapping[str, object]:
    """What has just been made; `before` is the record of the run that what was `kept` or gone on with is from."""
    return {
        "recipe": recipe,
        "pairs": {kind: len(pictures) for kind, pictures in kinds.items()},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "minutes": clock.minutes(),
        "date": time.strftime("%Y-%m-%d"),
        **({} if before is None else {"kept": list(kept), "before": before}),
    }


def read_record(assets: Path) -> Mapping[str, object]:
    """The one beside the weights in `assets`."""
    return read_object(assets / RECORD)


def write_record(assets: Path, record: Mapping[str, object]) -> None:
    """Put it beside the weights in `assets`."""
    write_text(assets / RECORD, json.dumps(record, indent=2) + "\n")
