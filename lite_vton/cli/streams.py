"""Standard input, output and error as a shell may leave them: closed, full, without a reader, or in ASCII."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

__all__ = ["is_unicode", "open_what_is_closed", "say_error", "shut_output", "take_any_letter"]


def open_what_is_closed() -> None:
    """Put the null device where `>&-` closed a stream: the next file opened would take its number, and its output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    # Open for as long as the process lives.
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def take_any_letter() -> None:
    """Let no letter that a terminal lacks, such as × in ASCII, be an error: it is printed as its escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def is_unicode() -> bool:
    """Whether standard output can show every letter."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"


def shut_output() -> None:
    """Give up standard output, which cannot be written to: Python would complain of it once more at its end."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # a stream in memory, or a closed one
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def say_error(line: str) -> None:
    """Print a line of this program on standard error, if that can be written to."""
    try:
        print(f"lite-vton: {line}", file=sys.stderr, flush=True)
    except OSError:
        return  # the exit code still says it
