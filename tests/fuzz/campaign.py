"""Many cases over many readers, in processes that may hang, crash or eat memory without harm."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.reader import Reader

__all__ = ["FAULTS", "Found", "Tally", "run"]

FAULTS = ("trace", "crash", "hang", "memory", "accepted", "wrote", "no start")
"""Outcomes that are faults: an exception that is no `UserError`, a process that ended, no end in time, more memory than
allowed, a file taken that has to be refused, something left beside it, and a reader that does not even take the valid
file. Beside them a case is "read" or "refused"."""

_START_S = 180.0
_BATCH = 4000


@dataclass(frozen=True)
class Found:
    """One fault; `text` is its trace or reason."""

    reader: str
    seed: int
    case: int
    outcome: str
    text: str

    @property
    def last_line(self) -> str:
        """The trace's last line, which names the exception."""
        lines = self.text.strip().splitlines()
        return lines[-1][:200] if lines else ""

    @property
    def command(self) -> str:
        """Runs this case again."""
        return f"python -m tests.fuzz --reader {self.reader} --seed {self.seed} --case {self.case}"


@dataclass
class Tally:
    """What came of a reader's cases."""

    reader: str
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[Found] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        """How many there were."""
        return sum(self.outcomes.values())


def run(
    readers: Sequence[Reader],
    cases: Sequence[range],
    seed: int,
    folder: Path,
    *,
    jobs: int = 2,
    told: Callable[[Tally], None] = lambda _tally: None,
) -> list[Tally]:
    """Read `cases[i]` of `readers[i]`, `jobs` readers at a time, below `folder`; `told` hears of each that is done."""

    def work(reader: Reader, numbers: range) -> Tally:
        tally = _run_one(reader, numbers, seed, folder)
        told(tally)
        return tally

    for reader in readers:  # one after another: what several need is made once
        if not (folder / "valid" / reader.name).exists():
            made = folder / "valid" / reader.name
            made.mkdir(parents=True)
            reader.make(made)
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(work, readers, cases))


def _run_one(reader: Reader, cases: range, seed: int, folder: Path) -> Tally:
    tally, began = Tally(reader.name), time.monotonic()
    next_case = cases.start
    while next_case < cases.stop:
        stop = min(next_case + _BATCH, cases.stop)
        started = next_case
        for case, outcome, text in _batch(reader, seed, range(next_case, stop), folder):
            tally.outcomes[outcome] += 1
            next_case = case + 1
            if outcome in FAULTS:
                tally.faults.append(Found(reader.name, seed, case, outcome, text))
        if next_case == started or tally.outcomes["no start"]:
            break
    tally.seconds = time.monotonic() - began
    return tally


def _batch(reader: Reader, seed: int, cases: range, folder: Path) -> Iterator[tuple[int, str, str]]:
    """The outcomes of a process's cases, up to the first that it does not survive."""
    receive, report = os.pipe()
    work = folder / "work" / reader.name
    valid = folder / "valid" / reader.name
    words = (reader.name, seed, cases.start, cases.stop, valid, work, report)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.worker", *map(str, words)],
        pass_fds=(report,),
        env=os.environ | {"TMPDIR": str(_temporary(folder, reader)), "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"},
    )
    os.close(report)
    at: int | None = None
    ended = False
    lines = _Lines(receive)
    try:
        while (line := lines.within(_START_S if at is None else reader.seconds)) != b"":
            if line is None:
                yield (cases.start, "no start", "") if at is None else (at, "hang", f"over {reader.seconds:g} s")
                return
            said = json.loads(line)
            if "outcome" in said:
                at, ended = None if said["case"] + 1 == cases.stop else said["case"] + 1, said["case"] + 1 == cases.stop
                yield said["case"], said["outcome"], said["text"]
            else:
                at = said["case"]
        if not ended:
            status = process.wait()
            kind = "no start" if at is None else "crash"
            yield cases.start if at is None else at, kind, f"the process ended with {status}"
    finally:
        process.kill()
        process.wait()
        os.close(receive)
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(_temporary(folder, reader), ignore_errors=True)


def _temporary(folder: Path, reader: Reader) -> Path:
    """A place of its own for what a killed process leaves."""
    place = folder / "temporary" / reader.name
    place.mkdir(parents=True, exist_ok=True)
    return place


class _Lines:
    """Whole lines of a pipe, waited for no longer than one says."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept = b""

    def within(self, seconds: float) -> bytes | None:
        """The next line; None if it does not come in time, and no bytes at the end."""
        while b"\n" not in self._kept:
            if not select.select([self._descriptor], [], [], seconds)[0]:
                return None
            piece = os.read(self._descriptor, 1 << 16)
            if not piece:
                return b""
            self._kept += piece
        line, _, self._kept = self._kept.partition(b"\n")
        return line
