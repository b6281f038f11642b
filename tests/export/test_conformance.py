"""`docs/conformance.py` judges somebody else's port: here ONNX Runtime alone, without a line of lite-vton."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from lite_vton.bundle import Bundle

JUDGE = Path(__file__).parents[2] / "docs/conformance.py"
Answers = dict[str, NDArray[np.generic]]


def ported(bundle: Bundle) -> Answers:
    """What a port would answer: each component's file, given what the trajectory says it was given."""
    answers: Answers = {}
    with np.load(bundle.root / "golden/trajectory.npz") as golden:
        answers["picture"] = golden["picture"]
        calls = {tuple(key.split(".")[:2]) for key in golden.files if ".in." in key}
        for component, call in sorted(calls):
            session = onnxruntime.InferenceSession(bundle.root / f"onnx-fp32/{component}/model.onnx")
            names = [value.name for value in session.get_outputs()]
            given = {value.name: golden[f"{component}.{call}.in.{value.name}"] for value in session.get_inputs()}
            for name, answer in zip(names, session.run(names, given), strict=True):
                answers[f"{component}.{call}.out.{name}"] = answer
    return answers


def judged(bundle: Bundle, answers: Answers, file: Path, precision: str = "fp32") -> tuple[int, str]:
    np.savez(file, **answers)  # type: ignore[arg-type]  # numpy types the keywords as its own option
    done = subprocess.run(
        [sys.executable, JUDGE, bundle.root, file, precision], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_a_faithful_port_passes_and_every_call_is_told(exported: Bundle, tmp_path: Path) -> None:
    code, told = judged(exported, ported(exported), tmp_path / "answers.npz")
    assert code == 0
    assert told.count("passed") == len(told.splitlines()) == 7
    assert "passed  unet.002.out.out_sample" in told


WRONG: dict[str, tuple[str, str, Callable[[NDArray[Any]], NDArray[Any] | None]]] = {
    "missing": ("fp32", "unet.001.out.out_sample", lambda _: None),
    "shape": ("int8", "unet.001.out.out_sample", lambda found: found[:, :2]),
    "constant": ("int8", "unet.001.out.out_sample", np.zeros_like),
    "scaled": ("fp16", "vae_decoder.001.out.sample", lambda found: found * 1.05),
    "nan": ("int8", "unet.000.out.out_sample", lambda found: found * np.nan),
    "picture": ("int8", "picture", lambda found: 255 - found),
}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_answer_fails(exported: Bundle, tmp_path: Path, wrong: str) -> None:
    precision, key, spoil = WRONG[wrong]
    answers = ported(exported)
    spoilt = spoil(answers.pop(key))
    if spoilt is not None:
        answers[key] = spoilt
    code, told = judged(exported, answers, tmp_path / "answers.npz", precision)
    assert code == 1
    assert told.count("FAILED") == 1
