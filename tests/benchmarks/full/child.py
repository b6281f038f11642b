"""One contender at one target, or one ceiling, in a process of its own; serves `lite_vton_runtimes.benchmark.process`.

python -m tests.benchmarks.full.child work '<json of Task>'
python -m tests.benchmarks.full.child ceiling LIBRARY PRECISION SIZE
python -m tests.benchmarks.full.child growth '<json of Point>'
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from time import perf_counter

from lite_vton_runtimes.benchmark.process import Prepared, serve


def main(kind: str, *arguments: str) -> None:
    """Prepare what the arguments name, and time it as often as stdin says."""
    serve(lambda: _prepare(kind, *arguments))


def _prepare(kind: str, *arguments: str) -> Prepared:
    begin = perf_counter()
    run = _KINDS[kind](*arguments)
    return Prepared(perf_counter() - begin, run)


def _work(task: str) -> Callable[[], object]:
    from tests.benchmarks.full.engines import Task, work

    return work(Task(**json.loads(task)))


def _ceiling(library: str, precision: str, size: str) -> Callable[[], object]:
    from tests.benchmarks.full.ceiling import MULTIPLICATIONS

    run = MULTIPLICATIONS[library](int(size), precision)
    run()
    return run


def _growth(point: str) -> Callable[[], object]:
    from tests.benchmarks.full.growth_child import Point, work_at

    return work_at(Point(**json.loads(point)))


_KINDS = {"work": _work, "ceiling": _ceiling, "growth": _growth}

if __name__ == "__main__":
    main(*sys.argv[1:])
