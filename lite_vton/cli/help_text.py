"""Help texts: options under the headings of their groups, and help for a group of verbs that is named alone."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["GroupedCommand", "help_unless_a_verb_follows"]

_RANGE = re.compile(r"(?:; )?[\d.]+<=x<=([\d.]+)")
_FAR = 100_000
"""A limit from here on only catches slips: a newcomer need not read it."""
_OTHERS = "Options"
"""The heading of those without a group, last."""


class GroupedCommand(TyperCommand):
    """A command whose options stand under the heading that each was declared with, in the order of the signature."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections; called while a help text is put together."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                is_argument = param.param_type_name == "argument"
                group = "Arguments" if is_argument else getattr(param, "rich_help_panel", None) or _OTHERS
                name, text = record
                sections.setdefault(group, []).append((name, _without_far_limits(text)))
        others = sections.pop(_OTHERS, [])
        for heading, records in (*sections.items(), *([(_OTHERS, others)] if others else [])):
            with formatter.section(heading):
                formatter.write_dl(records)


def help_unless_a_verb_follows(context: typer.Context) -> None:
    """Print the help of a group that was named alone, and end well."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def _without_far_limits(text: str) -> str:
    """A help text without ranges whose upper limit nobody comes near."""
    shown = _RANGE.sub(lambda found: "" if float(found[1]) >= _FAR else found[0], text)
    return shown.replace("  []", "").replace("[; ", "[")
