"""The wheel holds four packages, and a user's own `export`, `training` and `runtimes` stay out of its way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lite_vton.cli.test_program import commands

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PACKAGES = {"lite_vton", "lite_vton_export", "lite_vton_runtimes", "lite_vton_training"}
OTHERS = ("export", "training", "runtimes", "tests")

SHORT = ["--data", "pairs", "--steps", "1", "--batch-size", "2"]
PHOTOS = [
    *("--person", "pairs/train/image/00000_00.jpg", "--garment", "pairs/train/cloth/00000_00.jpg"),
    *("--keypoints", "pairs/train/openpose_json/00000_00_keypoints.json"),
]
ASKED = ["--help"]
CHAIN: dict[str, list[str]] = {
    "doctor": [],
    "models": [],
    "formats": [],
    "data synthesize": ["-o", "pairs", "--pairs", "4", "--test-share", "0.25", "--workers", "1"],
    "data ccp": ASKED,  # it takes other people's photographs
    "data garments": ASKED,
    "train": ["tiny", "-o", "run", *SHORT],
    "import": ASKED,  # it takes other people's weights
    "distill": ["tiny", "--teacher", "run", "-o", "student", *SHORT],
    "few-steps": ["tiny", "--teacher", "student", "-o", "fast", "--counts", "1", *SHORT],
    "eval": ["run", "--data", "pairs", "--steps", "1"],
    "export": ["run", "-o", "bundle", "--precision", "fp32", "--steps", "1"],
    "verify": ["bundle"],
    "inspect": ["bundle"],
    "benchmark": ["bundle", "--backend", "onnxruntime"],
    "run": ["bundle", *PHOTOS, "-o", "result.png", "--steps", "1"],
    "sheet": ASKED,  # it finds people by MediaPipe, which takes its time
    "serve": ASKED,  # it does not end
    "demo": ["-o", "shown", "--preset", "tiny", "--pairs", "1"],
}
"""What each verb is asked to do, in an order in which each finds what it needs."""

IN_ONE_PROCESS = """
import json, sys
import lite_vton, lite_vton_export, lite_vton_runtimes.server.app, lite_vton_training
from lite_vton.cli import main
for verb, words in json.loads(sys.argv[1]).items():
    code = main([*verb.split(), *words])
    if code:
        sys.exit(f"{verb}: exit code {code}")
packages = {name.split(".")[0]: module.__file__ for name, module in sys.modules.items() if name.startswith("lite_vton")}
print(json.dumps(packages))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel brings, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    building = [*pip, "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run(building, check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True, cwd=folder)
    return folder / "site"


def test_nothing_else_is_installed_and_all_packages_have_types(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} - {"bin"}
    assert names == PACKAGES
    assert all((installed / name / "py.typed").is_file() for name in PACKAGES)
    assert list((installed / "lite_vton/assets").glob("*.safetensors"))


def test_the_chain_has_every_verb() -> None:
    assert set(CHAIN) == {name for name, _ in commands()}


def test_every_verb_runs_in_a_folder_with_packages_of_the_users_own(installed: Path, tmp_path: Path) -> None:
    for name in OTHERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the package of a user was taken for ours')\n")
    ran = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(CHAIN)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    files = json.loads(ran.stdout.splitlines()[-1])
    assert files.keys() == PACKAGES
    assert all(Path(file).is_relative_to(installed) for file in files.values())
