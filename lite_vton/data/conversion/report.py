"""What a conversion leaves beside the pictures: who wears what, and what was dropped and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lite_vton.atomic import write_text
from lite_vton.data.conversion.outcome import Outcome
from lite_vton.data.layout import SPLITS

__all__ = ["dropped_by_reason", "write_pairs", "write_report"]


def dropped_by_reason(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many photos were dropped for each reason, the most frequent first."""
    counted = Counter(outcome.reason for outcome in outcomes if outcome.reason)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def write_report(folder: Path, settings: Mapping[str, Any], outcomes: Sequence[Outcome]) -> None:
    """`report.json`: the settings, counts, and every photo's own outcome."""
    content = {
        "settings": settings,
        "converted": {split: sum(outcome.split == split for outcome in outcomes) for split in SPLITS},
        "dropped": dropped_by_reason(outcomes),
        "photos": {
            outcome.name: outcome.model_dump(exclude={"name"}, exclude_defaults=True, mode="json")
            for outcome in outcomes
        },
    }
    write_text(folder / "report.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_pairs(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """`train_pairs.txt` pairs each person with the garment worn, `test_pairs.txt` with the next of its category."""
    for split in SPLITS:
        used = [outcome for outcome in outcomes if outcome.split == split]
        lines = [
            f"{outcome.picture} {(outcome if split == 'train' else _next(outcome, used)).picture}\n" for outcome in used
        ]
        write_text(folder / f"{split}_pairs.txt", "".join(lines))


def _next(outcome: Outcome, among: Sequence[Outcome]) -> Outcome:
    same = [other for other in among if other.category == outcome.category]
    return same[(same.index(outcome) + 1) % len(same)]
