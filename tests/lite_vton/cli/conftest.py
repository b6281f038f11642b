"""A drawn person with a garment, a bundle of the tiny model, and two ways to run the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lite_vton.cli import main
from lite_vton.data.drawn.dataset import synthesize
from tests.made_once import made_once

Refused = Callable[..., str]
TRACED_PROGRAM = Path(__file__).parents[2] / "traced_program.py"


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn pairs to train on, two to test on."""
    return synthesize(tmp_path_factory.mktemp("data") / "drawn", 6, seed=3, test_share=1 / 3)


@pytest.fixture(scope="session")
def photos(dataset: Path) -> dict[str, Path]:
    """`run`'s options and their files: one drawn pair, 256x192."""
    train = dataset / "train"
    return {
        "person": train / "image/00000_00.jpg",
        "garment": train / "cloth/00000_00.jpg",
        "garment-mask": train / "cloth-mask/00000_00.jpg",
        "keypoints": train / "openpose_json/00000_00_keypoints.json",
    }


@pytest.fixture
def options(photos: dict[str, Path]) -> Callable[..., list[str]]:
    """`run`'s options as words; a keyword names another file, for a garment one without the mask."""

    def words(**replaced: Path) -> list[str]:
        files = photos | replaced
        if "garment" in replaced:
            del files["garment-mask"]
        return [word for name, path in files.items() for word in (f"--{name}", str(path))]

    return words


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in fp32 and fp16, exported by the command line itself. Copy it before changing it."""

    def export(path: Path) -> None:
        assert main(["export", "tiny", "-o", str(path), "--steps", "2"]) == 0

    return made_once(tmp_path_factory, "tiny-by-the-program", export)


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Refused:
    """Run a command that has to fail with exit code 2, one line on stderr and nothing written; gives the line."""

    def run(*words: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        capfd.readouterr()
        code = main([str(word) for word in words])
        out, err = capfd.readouterr()
        assert (code, out) == (2, ""), err
        assert err.startswith("lite-vton: ")
        assert err.count("\n") == 1, err
        assert sorted(tmp_path.rglob("*")) == before
        return err.removeprefix("lite-vton: ").strip()

    return run


def command(*words: object) -> list[str]:
    """The command line as a process of its own; an export takes over the traces of others."""
    traced = [str(TRACED_PROGRAM), os.environ["LITE_VTON_TESTS_TRACES"]]
    program = traced if words[0] == "export" else ["-m", "lite_vton.cli"]
    return [sys.executable, *program, *(str(word) for word in words)]


@pytest.fixture
def started() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process and wait for it."""

    def run(*words: object, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(*words), capture_output=True, text=True, check=False, preexec_fn=before)

    return run


@pytest.fixture
def interrupted() -> Callable[..., tuple[int, str]]:
    """Start the command line, press Ctrl-C once `ready` holds, and wait; exit code and stderr."""

    def run(
        *words: object, ready: Callable[[], bool], by: int = signal.SIGINT, temporary: Path | None = None
    ) -> tuple[int, str]:
        process = subprocess.Popen(
            command(*words),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | ({} if temporary is None else {"TMPDIR": str(temporary)}),
        )
        deadline = time.monotonic() + 300
        while not ready():
            assert process.poll() is None, "ended before it could be interrupted"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        # To the whole group, as a terminal does.
        os.killpg(process.pid, by)
        _, err = process.communicate(timeout=300)
        return process.returncode, err

    return run
