"""What a shell may do to a program: no reader, no room, no streams, no letters, no folder, no home."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lite_vton.cli import main
from lite_vton.cli.process_start import BEGAN, began, process_start
from lite_vton.cli.screen import Watch, print_json

pytestmark = pytest.mark.slow

PROGRAM = f"{sys.executable} -m lite_vton.cli"


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])} | environment
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=folder, env=given, check=False)


@pytest.mark.parametrize("words", ["formats", "models --json", "--help", "data"])
def test_who_reads_no_further_ends_the_program_quietly(words: str, tmp_path: Path) -> None:
    ended = shell(f"{PROGRAM} {words} | true; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert ended.stderr == ""
    assert ended.stdout in ("141\n", "0\n")  # what was read before the pipe was closed


def test_output_that_cannot_be_written_is_one_line_and_closed_streams_are_none(tmp_path: Path) -> None:
    full = shell(f"{PROGRAM} formats > /dev/full", tmp_path)
    assert (full.returncode, full.stderr.count("\n")) == (2, 1)
    assert "No space left on device" in full.stderr
    assert shell(f"{PROGRAM} formats > /dev/full 2> /dev/full", tmp_path).returncode == 2
    assert shell(f"{PROGRAM} formats <&- >&- 2>&-", tmp_path).returncode == 0
    assert shell(f"{PROGRAM} models --preset no >&- 2>&-", tmp_path).returncode == 2


def test_a_terminal_of_ascii_is_shown_escapes_and_valid_json(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "COLUMNS": "5"}
    name = "тест × – \udce9"  # what a file's name may hold, bytes that are no letters included
    shown = shell(f"{PROGRAM} inspect '{name}'".encode("utf-8", "surrogateescape").decode("latin-1"), tmp_path)
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert shell(f"{PROGRAM} formats", tmp_path, **ascii_only).returncode == 0
    assert json.loads(shell(f"{PROGRAM} models --json", tmp_path, **ascii_only).stdout)


def test_letters_that_the_output_has_not_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert main(["--version"]) == 0
    print_json({"sides": "256×192", "name": "\udce9", "rate": float("nan"), "rates": [float("inf"), 1.5]})
    print("256×192")
    sys.stdout.flush()
    text = written.getvalue().decode("ascii").partition("\n")[2]
    content, _, last = text.rstrip("\n").rpartition("\n")
    assert json.loads(content) == {"sides": "256×192", "name": "\udce9", "rate": None, "rates": [None, 1.5]}
    assert last == r"256\xd7192"


def test_neither_a_home_nor_a_current_folder_is_needed(bundle: Path, tmp_path: Path) -> None:
    assert shell(f"env -u HOME {PROGRAM} doctor", tmp_path).returncode == 0
    assert shell(f"{PROGRAM} models", tmp_path, HOME="/proc/nowhere", XDG_CACHE_HOME="/proc/nowhere").returncode == 0
    gone = tmp_path / "gone"
    gone.mkdir()
    seen = shell(f"rmdir '{gone}'; {PROGRAM} inspect '{bundle}'; {PROGRAM} inspect tiny", gone)
    assert "next: lite-vton verify" in seen.stdout
    assert (seen.returncode, seen.stderr.count("\n")) == (2, 1), seen.stderr


def test_the_seconds_count_from_the_start_of_the_process(tmp_path: Path) -> None:
    slow = tmp_path / "sitecustomize.py"
    slow.write_text("import time\ntime.sleep(1.5)\n", encoding="utf-8")
    program = "from lite_vton.cli.process_start import process_start as start; from time import perf_counter as now"
    words = [sys.executable, "-c", f"{program}; print(now() - start())"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}"}
    shown = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    assert float(shown.stdout) > 1.4


def test_the_seconds_of_a_call_count_from_the_call() -> None:
    assert process_start() < time.perf_counter()
    assert BEGAN.get() is None
    assert Watch().began <= began()
    token = BEGAN.set(12.5)
    assert Watch().began == 12.5
    BEGAN.reset(token)


def test_bare_the_program_and_its_groups_show_their_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (([], "Usage: lite-vton [OPTIONS]"), (["data"], "Usage: lite-vton data [OPTIONS]")):
        assert main(words) == 0
        out, err = capsys.readouterr()
        assert out.startswith(said)
        assert err == ""
