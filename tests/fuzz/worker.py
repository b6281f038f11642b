"""The process that reads damaged files: one reader, a row of cases, and one line of JSON at each start and end.

It may be killed at any line: the driver then knows which case it was at.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import traceback
from pathlib import Path
from random import Random

from lite_vton.errors import UserError
from tests.fuzz.mutations import mutated
from tests.fuzz.reader import AcceptedError, Reader
from tests.fuzz.readers import READERS

__all__ = ["damage"]


def damage(reader: Reader, seed: int, case: int, folder: Path) -> Path:
    """Mutate one of the folder's files, always the same way for the same numbers; which one it was."""
    random = Random(f"{seed} {reader.name} {case}")
    file = random.choice(sorted(path for path in folder.glob(reader.damaged) if path.is_file()))
    file.write_bytes(mutated(file.read_bytes(), random))
    if reader.repack is not None:
        reader.repack(folder)
    return file


def _main(name: str, seed: int, first: int, last: int, valid: Path, folder: Path, report: int) -> None:
    reader = READERS[name]
    told = os.fdopen(report, "w", buffering=1)
    # Libraries have a lot to say about damaged files, some from native code.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    _fresh(valid, folder, reader)
    reader.read(folder)  # what a first reading loads and keeps is not the damaged file's
    _fresh(valid, folder, reader)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + reader.memory, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for case in range(first, last):
        told.write(json.dumps({"case": case}) + "\n")
        file = damage(reader, seed, case, folder)
        before = _names(folder)
        outcome, text = _outcome(reader, folder)
        if outcome in ("read", "refused") and not reader.writes and _names(folder) != before:
            outcome, text = "wrote", f"left {sorted(_names(folder) ^ before)}"
        told.write(json.dumps({"case": case, "outcome": outcome, "text": text}) + "\n")
        if reader.writes or reader.repack is not None or outcome == "wrote":
            _fresh(valid, folder, reader)
        else:
            shutil.copyfile(valid / file.relative_to(folder), file)


def _outcome(reader: Reader, folder: Path) -> tuple[str, str]:
    try:
        reader.read(folder)
    except UserError as error:
        return "refused", str(error)
    except AcceptedError as error:
        return "accepted", str(error)
    except MemoryError:
        return "memory", traceback.format_exc()
    except Exception:
        return "trace", traceback.format_exc()
    return "read", ""


def _fresh(valid: Path, folder: Path, reader: Reader) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(valid, folder)
    if reader.repack is not None:
        reader.repack(folder)


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


if __name__ == "__main__":
    _name, _seed, _first, _last, _valid, _folder, _report = sys.argv[1:]
    _main(_name, int(_seed), int(_first), int(_last), Path(_valid), Path(_folder), int(_report))
