"""`python -m lite_vton.cli`, for where the script is not on the path."""

from __future__ import annotations

import sys

from lite_vton.cli import main

code = main()
# CPython (to 3.13 at least) remembers a Ctrl-C that left a string being evaluated, as `dataclasses` and torch do when
# imported, and ends `python -m` with SIGINT for it, our exit code lost, though the interrupt was caught long ago.
# The next evaluation of a string forgets it: `run_eval_code_obj` in CPython's Python/pythonrun.c.
exec("")
sys.exit(code)
