"""What a slip costs: no verb imports a network library before it has looked at names, files and packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lite_vton.workflows.extras import EXTRA_OF, VERB_NEEDS
from lite_vton.workflows.names import DISTILLATIONS, LAYOUTS, NAMES, WAYS

HEAVY = ("torch", "onnx", "diffusers", "transformers", "openvino", "mediapipe", "accelerate")
RUNNER = """
import contextlib, io, json, os, sys
blocked = set()

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from lite_vton.cli import main
found = []
for words, missing in json.load(sys.stdin):
    blocked.clear()
    blocked.update(missing)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    loaded = [name for name in HEAVY if name in sys.modules]
    found.append([code, out.getvalue(), err.getvalue(), loaded])
json.dump(found, sys.stdout)
"""

MODEL_SLIPS = [
    (["export", "", "-o", "out"], "an argument is empty"),
    (["export", "tiny", "-o", ""], "an argument is empty"),
    (["export", "tiny", "--output="], "an argument is empty"),
    (["export", "ti\0ny", "-o", "out"], "null character"),
    (["sheet", ".", "--persons", ".", "--garments", ".", "-o", "."], "cannot save ."),
    (["run", ".", "--person", "a", "--garment", "b", "-o", "/", "--overwrite"], "cannot save /"),
    (["eval", "tiny", "-o", "/dev/null"], "cannot write /dev/null"),
    (["export", "no-such-run", "-o", "out"], "unknown preset 'no-such-run'"),
    (["export", "tinny", "-o", "out"], "did you mean 'tiny'?"),
    (["export", "tiny", "-o", "out", "--format", "onx"], "did you mean 'onnx'?"),
    (["export", "tiny", "-o", "out", "--precision", "fp61"], "did you mean 'fp16'?"),
    (["export", "tiny", "-o", "out", "--autoencoder", "tinny"], "did you mean 'tiny'?"),
    (["export", "tiny", "-o", "out", "--steps", "100000"], "100000"),
    (["export", "tiny", "-o", "out", "--calibration", "nowhere"], "--precision int8"),
    (["export", "tiny"], "--output"),
    (["eval", "no-such-run"], "unknown preset"),
    (["eval", "tiny", "--sampler", "dim"], "did you mean 'ddim'?"),
    (["eval", "tiny", "--data", "nowhere"], "no dataset at nowhere"),
    (["eval", "tiny", "--mask", "improvd"], "did you mean 'improved'?"),
    (["eval", "tiny", "--lpips-weights", "nowhere"], "no weights at nowhere"),
    (["eval", "--results", "nowhere", "--data", "."], "nowhere"),
    (["train", "tinny", "--data", ".", "-o", "out"], "did you mean 'tiny'?"),
    (["train", "tiny", "--data", "nowhere", "-o", "out"], "no dataset at nowhere"),
    (["train", "tiny", "--data", ".", "-o", "out", "--start", "nowhere"], "unknown preset 'nowhere'"),
    (["train", "tiny", "--data", ".", "-o", "out", "--mask", "plane"], "did you mean 'plain'?"),
    (["distill", "tiny", "--teacher", "demo-techer", "--data", ".", "-o", "out"], "did you mean 'demo-teacher'?"),
    (["distill", "tiny", "--teacher", "tiny", "--data", "nowhere", "-o", "out"], "no dataset at nowhere"),
    (["distill", "tiny", "--teacher", "tiny", "--data", ".", "-o", "o", "--distill", "outptu"], "mean 'output'?"),
    (["distill", "tiny", "--teacher", "tiny", "--data", ".", "-o", "o", "--init", "slimm"], "mean 'slim'?"),
    (["few-steps", "tiny", "--teacher", "nowhere", "--data", ".", "-o", "o"], "'nowhere'"),
    (["import", "nowhere", "--model", "teacher", "-o", "out"], "no file or folder nowhere"),
    (["import", ".", "--model", "techer", "-o", "out"], "did you mean 'teacher'?"),
    (["import", ".", "--model", "teacher", "-o", "out", "--layout", "inpaintin"], "did you mean 'inpainting'?"),
    (["demo", "-o", "out", "--preset", "dmo"], "did you mean 'demo'?"),
    (["models", "--preset", "tiyn"], "did you mean 'tiny'?"),
    *(([verb, "nowhere"], "nowhere does not exist") for verb in ("verify", "inspect", "benchmark")),
]
NO_SITES = (
    "*",
    "null",
    "example.com",
    "https://",
    "https://example.com/",
    "https://example.com/shop",
    "https://Example.com",
    "https://example.com, https://example.org",
    "https://me@example.com",
    "https://example.com\n",
    "https://example.com:443",
    "http://example.com:80",
    "https://example.com:99999",
    "https://example.com:",
    "https://*.example.com",
    "file:///home",
)
MODEL_SLIPS += [(["serve", ".", "--cors-origin", site], "is no site") for site in NO_SITES]
BUNDLE_SLIPS = [
    (["--provider", "cuda"], "no provider 'cuda'"),
    (["--provider", "kuda"], "did you mean 'cuda'?"),
    (["--backend", "torch", "--provider", "cuda"], "has no execution provider"),
    (["--backend", "toch"], "did you mean 'torch'?"),
    (["--precision", "fp61"], "did you mean 'fp16'?"),
    (["--sampler", "dim"], "did you mean 'ddim'?"),
    (["--steps", "5000"], "5000"),
    (["--category", "uper"], "did you mean 'upper'?"),
    (["--backend", "openvino"], "export it (`lite-vton export"),
]


def outcomes(cases: list[tuple[list[str], list[str]]], folder: Path) -> list[Any]:
    """Exit code, both outputs, and what heavy has been imported by then, of each command with packages missing."""
    ran = subprocess.run(
        [sys.executable, "-c", RUNNER.replace("HEAVY", repr(HEAVY))],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: list[Any] = json.loads(ran.stdout)
    return found


@pytest.mark.slow
def test_a_slip_is_one_line_before_torch_or_any_other_library_is_imported(bundle: Path, tmp_path: Path) -> None:
    run = ["run", str(bundle), "--person", "nobody.jpg", "--garment", "nothing.jpg", "-o", "out.png"]
    sheet = ["sheet", str(bundle), "--persons", "nowhere", "--garments", "nowhere", "-o", "out.png"]
    benchmark = ["benchmark", str(bundle), "-o", "out"]
    slips = [
        *MODEL_SLIPS,
        *(([*run, *more], said) for more, said in BUNDLE_SLIPS),
        (run, "nobody.jpg"),
        (sheet, "nowhere is not a folder"),
        ([*sheet, "--backend", "toch"], "did you mean 'torch'?"),
        ([*benchmark, "--backend", "toch"], "did you mean 'torch'?"),
        ([*benchmark, "--sampler", "dim"], "did you mean 'ddim'?"),
        ([*benchmark, "--target", ","], "no target given"),
        ([*benchmark, "--precision", ","], "no precision given"),
        ([*benchmark, "--target", "unt"], "did you mean 'unet'?"),
        ([*benchmark, "--steps", "5000"], "5000"),
        (["verify", str(bundle), "--artifact", "onnx-fp1"], "did you mean 'onnx-fp16'?"),
    ]
    found = outcomes([(words, []) for words, _ in slips], tmp_path)
    for (words, said), (code, out, err, loaded) in zip(slips, found, strict=True):
        assert (code, out, err.count("\n"), loaded) == (2, "", 1, []), (words, err)
        assert said in err, (words, err)
    assert list(tmp_path.iterdir()) == []


ENOUGH: dict[str, list[str]] = {
    "demo": ["demo", "-o", "out"],
    "import": ["import", "empty", "--model", "tiny", "-o", "out"],
    "train": ["train", "tiny", "--data", "empty", "-o", "out"],
    "distill": ["distill", "tiny", "--teacher", "tiny", "--data", "empty", "-o", "out"],
    "few-steps": ["few-steps", "tiny", "--teacher", "tiny", "--data", "empty", "-o", "out"],
    "eval": ["eval", "tiny"],
    "eval on drawn pairs": ["eval", "tiny"],
    "export": ["export", "tiny", "-o", "out"],
    "inspect --ranges": ["inspect", "empty", "--ranges"],
    "sheet": ["sheet", "empty", "--persons", "empty", "--garments", "empty", "-o", "out.png"],
    "data synthesize": ["data", "synthesize", "-o", "out"],
    "data garments --worn": ["data", "garments", "empty", "-o", "out", "--worn"],
    "data ccp": ["data", "ccp", "empty", "-o", "out"],
}


@pytest.mark.slow
def test_a_missing_package_is_named_with_the_extra_of_the_verb_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = [(verb, package) for verb, needs in VERB_NEEDS.items() if verb in ENOUGH for package in needs.packages]
    found = outcomes([(ENOUGH[verb], [package]) for verb, package in cases], tmp_path)
    for (verb, package), (code, out, err, loaded) in zip(cases, found, strict=True):
        assert (code, out, err.count("\n"), loaded) == (2, "", 1, []), (verb, package, err)
        assert f"{verb} needs {package}: pip install 'lite-vton[{VERB_NEEDS[verb].extras}]'" in err
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.slow
def test_a_package_that_is_missing_is_no_more_than_a_line_to_the_verbs_that_show_something(
    bundle: Path, tmp_path: Path
) -> None:
    optional = sorted({*EXTRA_OF})
    shown = [["--help"], ["models"], ["formats", "--json"], ["doctor", "--json"], ["inspect", str(bundle)]]
    found = outcomes([(words, optional) for words in shown], tmp_path)
    for words, (code, out, err, loaded) in zip(shown, found, strict=True):
        assert (code, err, loaded) == (0, "", []), words
        if "--json" in words:
            assert json.loads(out)


def test_every_extra_that_a_message_names_brings_what_the_verb_takes() -> None:
    import tomllib

    from lite_vton.workflows.extras import DISTRIBUTIONS

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]

    def brought(extra: str) -> set[str]:
        found: set[str] = set()
        for line in extras[extra]:
            if line.startswith("lite-vton["):
                inner = line.removeprefix("lite-vton[").removesuffix("]")
                found.update(*(brought(name) for name in inner.split(",")))
            else:
                found.add(line.partition(">")[0])
        return found

    for verb, needs in VERB_NEEDS.items():
        has = set().union(*(brought(extra) for extra in needs.extras.split(",")))
        assert {DISTRIBUTIONS.get(package, package) for package in needs.packages} <= has, verb


def test_names_known_without_torch_are_those_of_the_tables() -> None:
    from lite_vton.model.importing.channel_layouts import LAYOUTS as LAYOUT_TABLE
    from lite_vton_training.trainers.few_steps import METHODS
    from lite_vton_training.trainers.losses import DISTILLATIONS as DISTILLATION_TABLE

    assert tuple(DISTILLATION_TABLE) == DISTILLATIONS
    assert tuple(LAYOUT_TABLE) == LAYOUTS
    assert {*METHODS, "progressive"} == set(WAYS)
    assert all(tuple(names()) for names in NAMES.values())


@pytest.mark.parametrize("kind", NAMES)
def test_no_name_of_a_kind_is_given_twice(kind: str) -> None:
    names = tuple(NAMES[kind]())
    assert len(set(names)) == len(names)
