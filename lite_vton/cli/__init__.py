"""The command line: one file a verb, each of which parses, calls one function, and prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; `arguments` are those of the process unless they are given.

    0 done, 1 a check failed, 2 could not be done as asked (one line on stderr says why), 130 interrupted or terminated,
    141 nobody reads the output any more.
    """
    try:
        from lite_vton.cli.program import run_program
    except KeyboardInterrupt:  # half of a short command's time is spent here
        print("lite-vton: stopped; nothing was written", file=sys.stderr)
        return 130
    return run_program(arguments)
