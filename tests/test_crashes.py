"""A test that takes its process down is named, run once more, and keeps nobody waiting."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

FINE = "def test_one(): pass\ndef test_two(): pass\n"
DIES = """
import os, pathlib, time
def test_before(): pass
def test_dies():
    died = pathlib.Path(__file__).with_suffix(".died")
    if {again} or not died.exists():
        died.touch()
        time.sleep(0.5)  # what was said of the test before has arrived
        os._exit(1)
def test_after(): pass
"""


def suite(folder: Path, **files: str) -> tuple[int, str]:
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    words = ["-q", "-n", "1", "--dist", "loadfile", "-p", "no:cacheprovider", str(folder)]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *words], capture_output=True, text=True, timeout=120, cwd=folder
    )
    return run.returncode, run.stdout


def test_a_test_that_crashes_once_passes_and_is_told_of(tmp_path: Path) -> None:
    code, said = suite(tmp_path, a=FINE, b=DIES.format(again=False), c=FINE, d=FINE)
    assert code == 0, said
    assert re.search(r"\b9 passed", said), said
    assert said.count("the process died in test_b.py::test_dies") == 1


def test_a_test_that_always_crashes_fails_and_the_rest_is_run(tmp_path: Path) -> None:
    code, said = suite(tmp_path, a=FINE, b=DIES.format(again=True), c=FINE, d=FINE)
    assert code == 1, said
    assert re.search(r"\b1 failed, 8 passed", said), said
    assert "crashed while running 'test_b.py::test_dies'" in said


def test_the_last_test_of_all_may_crash(tmp_path: Path) -> None:
    last = DIES.format(again=True).replace("def test_after(): pass", "")
    code, said = suite(tmp_path, a=FINE * 2, z=last)
    assert code == 1, said
    assert "1 failed" in said
