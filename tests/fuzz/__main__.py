"""`python -m tests.fuzz --cases 100000`: damaged files for every reader, and a table of what came of them."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.campaign import FAULTS, Found, Tally, run
from tests.fuzz.reader import Reader
from tests.fuzz.readers import READERS
from tests.fuzz.worker import damage

_KEPT = Path("outputs/fuzz")


def _main() -> int:
    given = _arguments()
    readers = [READERS[name] for name in given.reader or READERS]
    for reader in readers:
        if lacks := [package for package in reader.needs if find_spec(package) is None]:
            print(f"left out {reader.name}: needs {', '.join(lacks)}")
    readers = [reader for reader in readers if all(find_spec(package) for package in reader.needs)]
    total = sum(reader.share for reader in readers)
    cases = [range(given.first, given.first + max(1, round(given.cases * row.share / total))) for row in readers]
    if given.case is not None:
        cases = [range(given.case, given.case + 1)] * len(readers)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lite-vton-fuzz-") as temporary:
        tallies = run(readers, cases, given.seed, Path(temporary), jobs=given.jobs, told=_print_row)
        for tally in tallies:
            _explain(tally, READERS[tally.reader], Path(temporary))
    faults = sum(len(tally.faults) for tally in tallies)
    print(f"{sum(tally.cases for tally in tallies)} cases, {faults} faults, {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=5000, help="over all readers, by their shares")
    parser.add_argument("--reader", action="append", choices=list(READERS), help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=0, help="other seeds damage otherwise")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="this one case alone")
    parser.add_argument("--jobs", type=int, default=2, help="readers at a time")
    return parser.parse_args()


def _print_row(tally: Tally) -> None:
    faults = " ".join(f"{kind}: {count}" for kind in FAULTS if (count := tally.outcomes[kind]))
    print(
        f"{tally.reader:<20}{tally.cases:>8} cases {tally.outcomes['read']:>7} read"
        f" {tally.outcomes['refused']:>7} refused {tally.seconds:>6.0f} s   {faults or 'no fault'}",
        flush=True,
    )


def _explain(tally: Tally, reader: Reader, temporary: Path) -> None:
    """Each kind of fault once, with the command that repeats it and its files kept."""
    kinds = Counter((found.outcome, found.last_line) for found in tally.faults)
    for (outcome, line), count in kinds.most_common():
        found = next(one for one in tally.faults if (one.outcome, one.last_line) == (outcome, line))
        print(f"\n{tally.reader}: {outcome} {count} times: {line}\n  {found.command}")
        _keep(found, reader, temporary)


def _keep(found: Found, reader: Reader, temporary: Path) -> None:
    place = _KEPT / f"{found.reader}-{found.seed}-{found.case}"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(temporary / "valid" / found.reader, place / "files")
    if found.outcome != "no start":
        damage(reader, found.seed, found.case, place / "files")
    (place / "fault.txt").write_text(f"{found.outcome}\n{found.command}\n\n{found.text}\n", encoding="utf-8")
    print(f"  kept in {place}")


if __name__ == "__main__":
    raise SystemExit(_main())
