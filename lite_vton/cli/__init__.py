"""The command line: one file a verb, each of which parses, calls one function, and prints."""

from __future__ import annotations

from lite_vton.cli.program import main

__all__ = ["main"]
