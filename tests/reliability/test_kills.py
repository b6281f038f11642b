from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_killed_at_random_moments_a_command_loses_nothing_and_works_again() -> None:
    """The short form; the long one kills every verb: `python -m tests.reliability.kills --kills 300`."""
    words = [sys.executable, "-m", "tests.reliability.kills", "--kills", "8", "--no-programs"]
    words += ["--only", "data synthesize"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 kills, 0 faults" in done.stdout
