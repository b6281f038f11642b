"""What was kept of a folder of garments, what was dropped, and why."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lite_vton.atomic import write_text
from lite_vton.data.conversion.outcome import Outcome
from lite_vton.data.conversion.report import dropped_by_reason
from lite_vton.data.garments.classes import CLASSES, OTHER
from lite_vton.data.garments.files import GarmentFile, GarmentFolder

__all__ = ["Report", "write_report"]

_COLUMNS = ("name", "class", "category", "source", "sha256")


@dataclass(frozen=True)
class Report:
    """`kept` garments; `outcomes` what became of each photo, by its source; `dropped` counts by reason.

    `unknown` names subfolders that are no known class, whose garments were taken for upper ones; `others` counts files
    that are no pictures by their names.
    """

    photos: tuple[GarmentFile, ...]
    kept: tuple[GarmentFile, ...]
    outcomes: Mapping[str, Outcome]
    dropped: Mapping[str, int]
    unknown: tuple[str, ...]
    others: int

    @classmethod
    def of(cls, folder: GarmentFolder, outcomes: Mapping[str, Outcome]) -> Report:
        """`outcomes` has every file of `folder`."""
        kept = tuple(file for file in folder.files if outcomes[file.source].split)
        kinds = {file.kind for file in folder.files if file.kind}
        return cls(
            folder.files,
            kept,
            outcomes,
            dropped_by_reason(list(outcomes.values())),
            tuple(sorted(kinds - set(CLASSES))),
            folder.others,
        )


def write_report(folder: Path, settings: Mapping[str, Any], report: Report) -> None:
    """`report.json`, and `garments.csv` of those kept."""
    photos, kept = (Counter(file.kind for file in files) for files in (report.photos, report.kept))
    content = {
        "settings": dict(settings),
        "photos": len(report.photos),
        "kept": len(report.kept),
        "dropped": dict(report.dropped),
        "classes": {
            kind: {
                "category": CLASSES.get(kind, OTHER).category,
                "known": kind in CLASSES,
                "photos": photos[kind],
                "kept": kept[kind],
            }
            for kind in sorted(photos)
        },
        "other_files": report.others,
        "garments": [_line(file, report.outcomes[file.source]) for file in report.photos],
    }
    write_text(folder / "report.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for file in report.kept:
        outcome = report.outcomes[file.source]
        writer.writerow((file.name, file.kind, outcome.category, file.source, outcome.sha256))
    write_text(folder / "garments.csv", table.getvalue())


def _line(file: GarmentFile, outcome: Outcome) -> dict[str, Any]:
    if outcome.split:
        return {"source": file.source, "name": file.name, "measures": outcome.measures}
    return {"source": file.source, "reason": outcome.reason, "detail": outcome.detail}
