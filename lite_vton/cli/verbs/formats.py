"""`lite-vton formats`: what can be exported, and what can run it."""

from __future__ import annotations

from lite_vton.cli.options.output import Json
from lite_vton.cli.screen import print_json, print_table
from lite_vton_export.formats import FORMATS
from lite_vton_runtimes.backends import BACKENDS

__all__ = ["formats"]


def formats(as_json: Json = False) -> None:
    """List export formats and backends."""
    if as_json:
        print_json(
            {
                "formats": [
                    {"name": f.name, "precisions": f.precisions, "extra": f.extra, "description": f.description}
                    for f in FORMATS.values()
                ],
                "backends": [
                    {"name": b.name, "precisions": b.precisions, "artifact": b.artifact} for b in BACKENDS.values()
                ],
            }
        )
        return
    print_table(
        ("format", "precisions", "extra", ""),
        [(f.name, ", ".join(f.precisions), f"lite-vton[{f.extra}]", f.description) for f in FORMATS.values()],
    )
    print()
    print_table(
        ("backend", "precisions", "runs"),
        [(b.name, ", ".join(b.precisions), b.artifact or "the bundle's weights") for b in BACKENDS.values()],
    )
    print("next: lite-vton doctor")
