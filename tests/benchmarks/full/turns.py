"""Many processes that take turns, as far as memory lets them stay: each round, everybody runs once or a few times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from lite_vton.errors import UserError
from lite_vton_runtimes.benchmark.process import Child, started

__all__ = ["Entry", "Taken", "take_turns"]

_TOGETHER = 6 << 30
"""Bytes that waiting processes may hold together."""
_ALONE = 2 << 30
"""Bytes from which a process is not left waiting, but ended and started anew for its next turn."""


@dataclass(frozen=True)
class Entry:
    """What takes a turn: a command that serves `lite_vton_runtimes.benchmark.process`, asked for `runs` a round."""

    label: str
    command: Sequence[str]
    runs: int = 1
    environment: Mapping[str, str] | None = None


@dataclass
class Taken:
    """What an entry's processes told: each run's milliseconds, the longest loading, the highest peak of any of them.

    `failed` says why there are no figures; `started` counts its processes.
    """

    milliseconds: list[float] = field(default_factory=list)
    load_s: float = 0.0
    peak_rss_bytes: int | None = None
    failed: str | None = None
    started: int = 0


def take_turns(
    entries: Sequence[Entry],
    rounds: int,
    say: Callable[[str], None],
    *,
    together: int = _TOGETHER,
    alone: int = _ALONE,
) -> list[Taken]:
    """Measure `entries` in `rounds`, in their order; an entry that fails does not stop the others.

    `together` bytes may waiting processes hold in sum; one that holds `alone` or more is ended after each turn.
    """
    found = [Taken() for _ in entries]
    waiting: dict[int, tuple[ExitStack, Child]] = {}
    try:
        for turn in range(rounds):
            for place, entry in enumerate(entries):
                if found[place].failed is not None:
                    continue
                say(f"round {turn + 1}/{rounds} {entry.label}")
                try:
                    child = _running(place, entry, found[place], waiting)
                    found[place].milliseconds += child.ask(entry.runs)
                    held = sum(other.resident_bytes() for _, other in waiting.values())
                    if turn + 1 == rounds or child.resident_bytes() >= alone or held > together:
                        _end(found[place], *waiting.pop(place))
                except UserError as error:
                    found[place].failed = str(error)
                    if place in waiting:
                        waiting.pop(place)[0].close()
    finally:
        for stack, _ in waiting.values():
            stack.close()
    return found


def _running(place: int, entry: Entry, taken: Taken, waiting: dict[int, tuple[ExitStack, Child]]) -> Child:
    if place not in waiting:
        stack = ExitStack()
        child = stack.enter_context(started(entry.command, entry.label, entry.environment))
        taken.load_s = max(taken.load_s, child.load_s)
        taken.started += 1
        waiting[place] = (stack, child)
    return waiting[place][1]


def _end(taken: Taken, stack: ExitStack, child: Child) -> None:
    with stack:
        peak = child.finish()
    if peak is not None:
        taken.peak_rss_bytes = max(peak, taken.peak_rss_bytes or 0)
