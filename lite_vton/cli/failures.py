"""What a user is told when something goes wrong: one line, and an exit code."""

from __future__ import annotations

from dataclasses import dataclass

import typer

from lite_vton.errors import StoppedError, UserError
from lite_vton.workflows.extras import EXTRA_OF

__all__ = ["NOBODY_READS", "Failure", "describe"]


NOBODY_READS = 141
"""The exit code after `| head`: a shell's for a program that SIGPIPE ended."""


@dataclass(frozen=True)
class Failure:
    """One line for stderr, and the exit code: 1 a check failed, 2 could not be done as asked, 130 interrupted.

    The line is empty where nobody reads any more.
    """

    line: str
    exit_code: int


def describe(error: BaseException) -> Failure | None:
    """How to report `error`; None for a defect of ours, whose trace is the report."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Failure("stopped; nothing was written", 130)
    if isinstance(error, StoppedError):
        return Failure(str(error), 130)
    if isinstance(error, UserError):
        # `lite_vton_export.verify.run.VerificationError` carries its report; importing it for its type would import the
        # exporter.
        return Failure(_one_line(str(error)), 1 if hasattr(error, "report") else 2)
    if isinstance(error, typer.TyperException):
        return Failure(_usage(error), 2)
    if isinstance(error, ModuleNotFoundError):
        return _missing(error)
    if isinstance(error, FloatingPointError):
        return Failure(_one_line(str(error)), 1)
    if isinstance(error, MemoryError):
        return Failure("out of memory: close other programs, or use a smaller batch or model", 2)
    if isinstance(error, BrokenPipeError):  # as `| head` leaves it
        return Failure("", NOBODY_READS)
    if isinstance(error, OSError) and error.errno is not None:
        place = f"{error.filename}: " if error.filename is not None else ""
        return Failure(f"{place}{error.strerror or error}; free some space or choose another place", 2)
    return None


def _usage(error: typer.TyperException) -> str:
    line = _one_line(error.format_message()).rstrip(".")
    context = getattr(error, "ctx", None)
    program = context.command_path if context is not None else "lite-vton"
    return f"{line} (see `{program} --help`)"


def _missing(error: ModuleNotFoundError) -> Failure | None:
    package = (error.name or "").partition(".")[0]
    if package not in EXTRA_OF:
        return None
    return Failure(f"this needs the package {package}: pip install 'lite-vton[{EXTRA_OF[package]}]'", 2)


def _one_line(text: str) -> str:
    """Without line breaks, and with control characters as escapes: names of files may hold any, and colour a terminal.

    Spaces stay as they are, since a path that is to be pasted may hold several.
    """
    joined = " ".join(line.strip() for line in text.splitlines())
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in joined.strip())


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
