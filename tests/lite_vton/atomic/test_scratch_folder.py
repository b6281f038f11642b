"""Scratch folders go with their process, however it ends, and stay as long as it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lite_vton.atomic import scratch_folder

HOLDING = """
import sys
from lite_vton.atomic import scratch_folder
with scratch_folder() as folder:
    (folder / "weights").write_bytes(bytes(9))
    print(folder, flush=True)
    sys.stdin.read()
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and POSIX permissions")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def holding(temporary: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary), "TEMP": str(temporary)},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_each_is_empty_another_one_and_gone_at_the_end(temporary: Path) -> None:
    with scratch_folder() as one, scratch_folder() as other:
        assert one != other
        assert [*one.iterdir(), *other.iterdir()] == []
        (one / "deep").mkdir()
    assert list(temporary.iterdir()) == []


@posix
def test_what_a_killed_process_left_goes_with_the_next_one_and_a_living_ones_stays(temporary: Path) -> None:
    killed, its_folder = holding(temporary)
    living, other_folder = holding(temporary)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert (its_folder / "weights").is_file()
    with scratch_folder():
        assert not its_folder.exists()
        assert (other_folder / "weights").is_file()
    living.communicate()
    assert living.returncode == 0
    assert list(temporary.iterdir()) == []


@posix
def test_nobody_else_may_look_inside(temporary: Path) -> None:
    with scratch_folder():
        (outer,) = temporary.iterdir()
        assert outer.stat().st_mode & 0o077 == 0


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to give a folder away")
def test_what_looks_like_one_and_is_somebody_elses_is_left_alone(temporary: Path) -> None:
    temporary.chmod(0o1777)  # as the system's own
    other = temporary / ".lite-vton-0123456789abcdef"
    other.mkdir()
    (other / "lock").touch()
    os.chown(other, 12345, 12345)
    with scratch_folder():
        assert other.is_dir()
    assert other.is_dir()


@posix
def test_a_lock_that_is_a_link_is_not_followed(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    mine = tmp_path_factory.mktemp("elsewhere") / "mine"
    planted = temporary / ".lite-vton-0123456789abcdef"
    planted.mkdir()
    (planted / "lock").symlink_to(mine)
    with scratch_folder():
        assert not mine.exists()
