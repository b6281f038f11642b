"""Every example runs as its own docstring says, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lite_vton.cli import main
from lite_vton.data.drawn.dataset import synthesize

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
SAID = {
    "01_two_photos": ("BUNDLE PERSON GARMENT RESULT", ""),
    "02_same_picture_on_every_backend": ("BUNDLE", "onnxruntime: "),
    "03_watch_the_steps": ("BUNDLE", "step 1, timestep "),
    "04_networks_alone": ("BUNDLE", "vae_decoder: latent_sample -> sample (1, 3, 64, 48)"),
    "05_distil_and_export": ("FOLDER", "passed   onnx-fp16: "),
}
"""Each example's arguments, by the names in its docstring, and a part of what it prints."""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("examples")
    pair = synthesize(folder / "drawn", 2, seed=3, test_share=0.5) / "train"
    assert main(["export", "tiny", "-o", str(folder / "bundle"), "--steps", "2"]) == 0
    files = {
        "BUNDLE": folder / "bundle",
        "PERSON": pair / "image/00000_00.jpg",
        "GARMENT": pair / "cloth/00000_00.jpg",
        "RESULT": folder / "result.png",
        "FOLDER": folder / "chain",
    }
    return {name: str(path) for name, path in files.items()}


@pytest.mark.parametrize("name", SAID)
def test_it_runs_as_it_says(name: str, given: dict[str, str]) -> None:
    arguments, said = SAID[name]
    assert f"python examples/{name}.py {arguments}\n" in (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    words = [sys.executable, str(EXAMPLES / f"{name}.py"), *(given[word] for word in arguments.split())]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout
    if "RESULT" in arguments:
        assert Path(given["RESULT"]).stat().st_size > 1000


def test_every_example_is_tried_and_in_the_list() -> None:
    assert sorted(SAID) == sorted(file.stem for file in EXAMPLES.glob("*.py"))
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"]({name}.py)" in listed for name in SAID)
