"""`lite-vton doctor`: what is installed, and what can be done with it here."""

from __future__ import annotations

from dataclasses import asdict

from lite_vton.cli.options.output import Json
from lite_vton.cli.screen import print_json, print_table
from lite_vton.workflows.installation import examine

__all__ = ["doctor"]


def doctor(as_json: Json = False) -> None:
    """Say what works here, and what to install for the rest."""
    found = examine()
    if as_json:
        print_json(asdict(found))
        return
    print_table(("machine", ""), found.machine.items())
    print()
    print_table(
        ("package", "version", "to install it"), [(p.name, p.version or "missing", p.install) for p in found.packages]
    )
    print()
    print_table(
        ("backend or format", "precisions", "usable here", "with"),
        [
            (
                a.name,
                ", ".join(a.precisions),
                "yes" if a.usable else f"no: {a.install}",
                ", ".join(f"{package} {version}" for package, version in a.versions.items()),
            )
            for a in found.abilities
        ],
    )
    print("next: lite-vton models")
