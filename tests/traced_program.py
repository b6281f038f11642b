"""The program `lite-vton` in a process that shares the tests' traces: `traced_program.py FOLDER WORDS...`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from lite_vton.cli.program import run_program  # noqa: E402  # from the checkout, not from tests/
from tests.traced_once import traced_once  # noqa: E402

if __name__ == "__main__":
    folder = sys.argv.pop(1)
    with traced_once(Path(folder)):
        sys.exit(run_program())
