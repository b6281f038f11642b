"""Something timed in a process of its own: both ends of the lines of JSON that parent and child exchange.

The child says `{"load_s": ...}` once warm, answers each number of runs on stdin with `{"ms": [...]}`, and the end of
stdin with `{"peak_rss_bytes": ...}`. Something the user can mend comes as `{"error": ...}`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from lite_vton.errors import UserError
from lite_vton_runtimes.benchmark.peak_memory import peak_rss_bytes

__all__ = ["Child", "Prepared", "serve", "started"]

_LONG_MS = 2000.0
"""A run as long as this fills the caches anew itself, whoever had them before."""


@dataclass(frozen=True)
class Prepared:
    """What a child has ready: seconds its loading took, the warm work to time, and what frees it."""

    load_s: float
    run: Callable[[], object]
    close: Callable[[], None] = lambda: None


def serve(prepare: Callable[[], Prepared]) -> None:
    """The child's end: prepare, then time as many runs as stdin asks for, line by line."""
    # Whatever a backend prints must not end up between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    try:
        prepared = prepare()
        say({"load_s": prepared.load_s})  # only now: whoever is told may start to measure another process
        for line in sys.stdin:
            say({"ms": _round(prepared.run, int(line))})
        say({"peak_rss_bytes": peak_rss_bytes()})
        prepared.close()
    except UserError as error:
        say({"error": str(error)})


def _round(run: Callable[[], object], runs: int) -> list[float]:
    """`runs` times, after one that is not timed, for the processes that had their turn since have taken the caches."""
    first = _milliseconds(run)
    taken = [first] if first >= _LONG_MS else []
    return taken[:runs] + [_milliseconds(run) for _ in range(runs - len(taken))]


def _milliseconds(run: Callable[[], object]) -> float:
    begin = perf_counter()
    run()
    return (perf_counter() - begin) * 1e3


class Child:
    """The parent's end of a running child."""

    def __init__(self, label: str, process: subprocess.Popen[str], errors: IO[str]) -> None:
        self._label = label
        self._process = process
        self._errors = errors
        self.load_s: float = self._answer()["load_s"]

    def ask(self, runs: int) -> list[float]:
        """Milliseconds of each run of one round; a `UserError` with the child's reason if it has ended."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: how is found out by reading
            self._process.stdin.write(f"{runs}\n")
            self._process.stdin.flush()
        answer: list[float] = self._answer()["ms"]
        return answer

    def finish(self) -> int | None:
        """The highest resident set it has had, in bytes; None where the system does not tell. It ends with that."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        answer: int | None = self._answer()["peak_rss_bytes"]
        return answer

    def resident_bytes(self) -> int:
        """What it holds in memory now; 0 where the system does not tell."""
        status = Path(f"/proc/{self._process.pid}/status")
        if status.exists():
            for line in status.read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines()
            reason = said[-1] if said else "it said nothing; it may have run out of memory"
            raise UserError(f"benchmark of {self._label} ended with status {status}: {reason}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise UserError(f"benchmark of {self._label}: {answer['error']}")
        return answer


@contextmanager
def started(command: Sequence[str], label: str, environment: Mapping[str, str] | None = None) -> Iterator[Child]:
    """A child that runs `command`, warm; ended with the block. `label` is what errors call it."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env=None if environment is None else {**os.environ, **environment},
        )
        try:
            yield Child(label, process, errors)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with suppress(BrokenPipeError):  # what was not sent to one that died
                    pipe.close()
