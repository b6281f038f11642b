"""Outputs are looked at before any work, and one command at a time writes one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lite_vton.atomic import claim, claim_inside
from lite_vton.cli import main

pytestmark = pytest.mark.slow

Refused = Callable[..., str]

NOWHERE = "no such bundle"
"""What is refused before it is looked for."""
VERBS = {
    "run": ("run", NOWHERE, "--person", "p.jpg", "--garment", "g.jpg", "-o"),
    "save steps": ("run", NOWHERE, "--person", "p.jpg", "--garment", "g.jpg", "-o", "out.png", "--save-steps"),
    "sheet": ("sheet", NOWHERE, "--persons", "p", "--garments", "g", "-o"),
    "export": ("export", "tiny", "-o"),
    "train": ("train", "tiny", "--data", "d", "-o"),
    "distill": ("distill", "tiny", "--teacher", "tiny", "--data", "d", "-o"),
    "import": ("import", "somewhere", "--model", "teacher", "-o"),
    "demo": ("demo", "-o"),
    "eval": ("eval", "tiny", "-o"),
    "data": ("data", "synthesize", "--pairs", "1", "-o"),
}
FILES = ("run", "sheet")
FILLED = ("train", "distill", "demo", "eval")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("verb", VERBS)
def test_names_that_cannot_be_are_refused_before_any_work(verb: str, tmp_path: Path, refused: Refused) -> None:
    suffix = ".png" if verb in FILES else ""
    assert "choose a shorter one" in refused(*VERBS[verb], "n" * 256 + suffix)
    said = "there is no folder made" if verb in FILES else "choose a shorter one"
    assert said in refused(*VERBS[verb], f"made/{'ü' * 128}/out{suffix}")
    (tmp_path / "file").touch()
    assert "file" in refused(*VERBS[verb], f"file/out{suffix}")


@pytest.mark.parametrize("verb", VERBS)
def test_an_output_that_another_is_writing_is_refused_before_any_work(verb: str, tmp_path: Path) -> None:
    output = tmp_path / ("out.png" if verb in FILES else "out")
    command = [sys.executable, "-m", "lite_vton.cli", *VERBS[verb], str(output)]
    with (claim_inside if verb in FILLED else claim)(output):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"lite-vton: another lite-vton is writing {output}")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", FILES)
@pytest.mark.parametrize("name", ["q", "out.gif", "out.pdf", "png"])
def test_suffixes_that_are_not_written_are_refused_before_any_work(verb: str, name: str, refused: Refused) -> None:
    assert "name it .png, .jpg, .jpeg or .webp" in refused(*VERBS[verb], name)


def test_a_sheet_whose_report_would_have_too_long_a_name_is_refused(refused: Refused) -> None:
    assert "choose a shorter one" in refused(*VERBS["sheet"], "n" * 251 + ".png")


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(bundle, tmp_path / "copy")


def test_a_verification_without_a_verdict_keeps_the_report(copy: Path) -> None:
    before = (copy / "verify.json").read_bytes()
    code = f"""
import sys
sys.modules["onnxruntime"] = None  # as on a machine without it
from lite_vton.cli import main
sys.exit(main(["verify", {str(copy)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "skipped" in done.stdout
    assert (copy / "verify.json").read_bytes() == before


def test_a_verification_of_one_artifact_keeps_what_is_known_of_the_others(copy: Path) -> None:
    assert main(["verify", str(copy), "--artifact", "onnx-fp32"]) == 0
    report = json.loads((copy / "verify.json").read_text())
    assert [row["artifact"] for row in report["artifacts"]] == ["onnx-fp32", "onnx-fp16"]
    assert report["passed"] is True


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_keeps_the_report_and_the_verdict_is_given(copy: Path) -> None:
    before = (copy / "verify.json").read_bytes()
    code = f"""
import resource, sys
from lite_vton.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
sys.exit(main(["verify", {str(copy)!r}, "--artifact", "onnx-fp32"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "passed   onnx-fp32" in done.stdout
    assert "verify.json" not in done.stdout
    assert done.stderr.startswith(f"the report is not written: cannot write {copy / 'verify.json'}")
    assert (copy / "verify.json").read_bytes() == before
    assert not list(copy.glob(".lite-vton-*"))
