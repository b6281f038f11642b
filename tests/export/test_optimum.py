"""An `onnx-*` folder opens in Optimum's classes as it is, and answers as torch did."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lite_vton.bundle import Bundle

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-optimum/bin/python"
"""Of an environment beside ours, for Optimum (2.1) does not go together with the diffusers that we need."""

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="needs Optimum's environment: ./justw optimum")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_optimums_pipeline_gives_the_same_tensors(exported: Bundle, tmp_path: Path, precision: str) -> None:
    answers = tmp_path / "answers.npz"
    answering = subprocess.run(
        [PYTHON, Path(__file__).with_name("answering_with_optimum.py"), exported.root, f"onnx-{precision}", answers],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    assert answering.returncode == 0, answering.stderr
    judged = subprocess.run(
        [sys.executable, ROOT / "docs/conformance.py", exported.root, answers, precision],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout
    assert judged.stdout.count("passed") == 6
