from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lite_vton.cli import main

pytestmark = pytest.mark.slow

Refused = Callable[..., str]


def test_the_plan_is_printed_and_nothing_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "tiny", "-o", str(tmp_path / "out"), "--dry-run", "--precision", "fp16"]) == 0
    assert "onnx-fp16/unet" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tinny"], "did you mean 'tiny'?"),
        (["tiny", "--format", "onx"], "did you mean 'onnx'?"),
        (["tiny", "--precision", "fp8"], "fp32, fp16"),
        (["tiny", "--format", ","], "at least one format"),
        (["tiny", "--steps", "0"], "cannot sample in 0 steps"),
        (["tiny", "--steps", "100000"], "choose from 1 to 600"),
    ],
)
def test_what_cannot_be_exported_is_refused(words: list[str], said: str, refused: Refused, tmp_path: Path) -> None:
    assert said in refused("export", *words, "-o", tmp_path / "out")


def test_an_existing_bundle_is_kept(bundle: Path, refused: Refused) -> None:
    before = (bundle / "manifest.json").read_bytes()
    assert "--overwrite" in refused("export", "tiny", "-o", bundle)
    assert (bundle / "manifest.json").read_bytes() == before


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "run").mkdir()
    assert "holds no finished weights" in refused("export", tmp_path / "run", "-o", tmp_path / "out")


def test_a_missed_gate_exits_1_and_leaves_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["export", "tiny", "-o", str(tmp_path / "out"), "--precision", "fp16", "--min-psnr", "190", "--steps", "1"]
    assert main(words) == 1
    assert "onnx-fp16 failed verification" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_stopped_half_way_it_leaves_nothing(
    by: signal.Signals, tmp_path: Path, interrupted: Callable[..., tuple[int, str]]
) -> None:
    target, temporary = tmp_path / "target", tmp_path / "temporary"
    target.mkdir()
    temporary.mkdir()

    def half_written() -> bool:
        tracing = any(temporary.glob(".lite-vton-*"))
        return tracing and any(target.glob(".lite-vton-*/*/golden/trajectory.npz"))

    code, err = interrupted("export", "tiny", "-o", target / "out", ready=half_written, by=by, temporary=temporary)
    assert (code, err) == (130, "lite-vton: stopped; nothing was written\n")
    assert [*target.iterdir(), *temporary.glob(".lite-vton-*")] == []


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, started: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    def fill() -> None:
        # The drawing fits, the weights of the U-Net do not.
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = started("export", "tiny", "-o", tmp_path / "out", "--precision", "fp32", "--steps", "1", before=fill)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "cannot write" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_verify_passes_and_says_so_in_json(bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(bundle)]) == 0
    assert "passed   onnx-fp16" in capfd.readouterr().out
    assert main(["verify", str(bundle), "--artifact", "onnx-fp32", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert [(row["artifact"], row["passed"]) for row in report["artifacts"]] == [("onnx-fp32", True)]


def test_verify_fails_with_exit_1(bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    assert main(["verify", str(copy), "--min-psnr", "190"]) == 1
    assert "FAILED   onnx-fp16" in capfd.readouterr().out


def test_verify_of_an_artifact_that_is_not_there(bundle: Path, refused: Refused) -> None:
    assert "did you mean 'onnx-fp16'?" in refused("verify", bundle, "--artifact", "onnx-fp1")


def test_inspect_shows_tensors_and_what_precision_was_found(bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(bundle)]) == 0
    shown = capfd.readouterr().out
    assert "1x13x8x6" in shown
    assert "noisy_latent 4 | mask 1 | masked_person 4 | pose 4" in shown
    assert main(["inspect", str(bundle), "--json"]) == 0
    manifest = json.loads(capfd.readouterr().out)
    assert manifest["artifacts"]["onnx-fp16"]["components"]["unet"]["precision_found"] == "fp16"


def test_inspect_shows_the_largest_values_and_what_float16_would_spoil(
    bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(bundle), "--ranges"]) == 0
    shown = capfd.readouterr().out
    assert re.search(r"^unet: \d+ nodes, all safe in float16; largest value [\d.]+$", shown, re.MULTILINE)
    assert "kept in fp32: the kind is sensitive" in shown
    assert main(["inspect", str(bundle), "--ranges", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)["vae_decoder"]
    assert all(row["largest_out"] >= 0 and row["unsafe"] is None for row in rows)


def alter_weights(bundle: Path) -> None:
    path = bundle / "onnx-fp32/unet/model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edit(bundle: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    change(manifest)
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered": (alter_weights, "was altered"),
    "incomplete": (lambda b: (b / "onnx-fp16/unet/model.onnx").unlink(), "is missing"),
    "newer": (lambda b: edit(b, lambda m: m.update(schema_version=99)), "upgrade lite-vton"),
    "escaping": (lambda b: edit(b, lambda m: m.update(golden="../golden.npz")), "leaves the bundle"),
    "no JSON": (lambda b: (b / "manifest.json").write_text("{"), "is not JSON"),
    "no manifest": (lambda b: (b / "manifest.json").unlink(), "is no bundle"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("verb", ["verify", "inspect", "benchmark"])
def test_a_broken_bundle_is_refused(verb: str, kind: str, bundle: Path, tmp_path: Path, refused: Refused) -> None:
    breaking, said = BROKEN[kind]
    copy = shutil.copytree(bundle, tmp_path / "copy")
    breaking(copy)
    assert said in refused(verb, copy)


def test_a_bundle_that_is_not_there(tmp_path: Path, refused: Refused) -> None:
    assert "does not exist" in refused("verify", tmp_path / "nothing")
