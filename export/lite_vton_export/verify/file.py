"""`verify.json` of a bundle: the newest verdict on each of its artifacts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lite_vton.atomic import write_text
from lite_vton.bundle import Bundle
from lite_vton_export.formats import caveats
from lite_vton_export.verify.report import Report

__all__ = ["VERIFY_FILE", "read_rows", "write_rows", "write_verdicts"]

VERIFY_FILE = "verify.json"


def write_verdicts(bundle: Bundle, report: Report) -> bool:
    """Put what `report` judged into the bundle's report, and say whether it did.

    Artifacts that could not run now, or were not asked about, keep the row they have. A manifest that is wrong is a
    verdict on them all; without any verdict nothing is written. `UserError` where the report cannot be written; the
    old one then stays whole.
    """
    found = {str(row["artifact"]): row for row in report.to_json()["artifacts"]}
    judged = {row.artifact for row in report.artifacts if row or row.failures}
    if not judged and not report.manifest:
        return False
    earlier = {str(row["artifact"]): row for row in read_rows(bundle.root)}
    present = (*bundle.manifest.artifacts, *bundle.manifest.fused)
    merged = {name: row for name, row in found.items() if name not in judged} | earlier
    merged |= {name: found[name] for name in found if name in judged}
    write_rows(bundle.root, [merged[name] for name in present if name in merged], report.manifest)
    return True


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The row of each artifact in the report of the bundle in `folder`; none where no report can be read."""
    try:
        content = json.loads((folder / VERIFY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    rows = content.get("artifacts") if isinstance(content, dict) else None
    return [row for row in rows if isinstance(row, dict) and "artifact" in row] if isinstance(rows, list) else []


def write_rows(folder: Path, rows: Sequence[Mapping[str, Any]], manifest: Sequence[str] = ()) -> None:
    """Write the report of the bundle in `folder`, whole or not at all; `manifest` is what its manifest says wrongly."""
    sound = not manifest and not any(row.get("failures") for row in rows)
    ran = [row for row in rows if row.get("skipped") is None]
    content = {
        "kind": "lite-vton-verify",
        "passed": sound and any(row.get("passed") for row in rows),
        "manifest": list(manifest),
        "artifacts": rows,
        "caveats": list(caveats(str(row["artifact"]).partition("-")[0] for row in ran)),
    }
    write_text(folder / VERIFY_FILE, json.dumps(content, indent=1) + "\n")
