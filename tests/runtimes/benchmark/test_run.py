from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from lite_vton.bundle import Artifact, Bundle, ComponentFiles, write_bundle, write_manifest
from lite_vton.errors import UserError
from lite_vton.presets.table import preset
from lite_vton_runtimes.benchmark.report import BenchmarkReport
from lite_vton_runtimes.benchmark.run import benchmark

pytestmark = pytest.mark.slow

VERIFIED = {
    "kind": "lite-vton-verify",
    "artifacts": [
        {
            "artifact": "onnx-fp32",
            "precision": "fp32",
            "shares": {
                "unet": {"multiplications": {"fp32": 0.75, "fp16": 0.25}},
                "vae_decoder": {"multiplications": {"fp16": 1.0}},
            },
            "calls": [{"component": "unet", "psnr_db": 120.5}, {"component": "unet", "psnr_db": 99.25}],
            "picture_psnr_db": 77.0,
        }
    ],
}


@pytest.fixture(scope="module")
def report(made: Any) -> BenchmarkReport:
    return benchmark(made.bundle.root, warmup=1, runs=7, rounds=3, steps=2)


@pytest.fixture
def two_precisions(made: Any, tmp_path: Path) -> Path:
    """The same files once more under another precision: enough to have two backends take turns."""
    with write_bundle(tmp_path / "two") as folder:
        records = dict(made.bundle.manifest.files)
        artifacts = dict(made.bundle.manifest.artifacts)
        for precision in ("fp32", "fp16"):
            shutil.copytree(made.bundle.root / "onnx-fp32", folder / f"onnx-{precision}")
            files = {name: f"onnx-{precision}/{name}/model.onnx" for name in preset("tiny").components}
            records |= {
                file: made.bundle.manifest.files[f"onnx-fp32/{name}/model.onnx"] for name, file in files.items()
            }
            artifacts[f"onnx-{precision}"] = Artifact(
                format="onnx",
                precision=precision,
                components={n: ComponentFiles(model=f, precision_found="fp32") for n, f in files.items()},
            )
        update = {"files": records, "artifacts": artifacts}
        write_manifest(folder, made.bundle.manifest.model_copy(update=update))
    return tmp_path / "two"


@pytest.mark.slow
def test_every_target_gets_a_row_of_plausible_figures(made: Any, report: BenchmarkReport) -> None:
    assert [row.target for row in report.rows] == [*preset("tiny").components, "try_on"]
    for row in report.rows:
        assert (row.backend, row.precision, row.runs) == ("onnxruntime", "fp32", 7)
        assert 0 < row.p50_ms <= row.p90_ms <= row.p95_ms
        assert 0 < row.load_s < 60
        assert row.peak_rss_bytes is None or 10e6 < row.peak_rss_bytes < 600e6
        assert row.parity_db is None
    *networks, whole = report.rows
    for row in networks:
        file = made.bundle.root / f"onnx-fp32/{row.target}/model.onnx"
        assert row.artifact_bytes == file.stat().st_size
    assert whole.artifact_bytes == sum(row.artifact_bytes or 0 for row in networks)


def test_the_header_says_how_to_repeat_it(report: BenchmarkReport) -> None:
    assert {"machine", "date", "command", "versions", "model", "picture", "sampling", "runs"} <= set(report.header)
    assert "onnxruntime 1." in report.header["versions"]
    assert report.header["sampling"] == "ddim, 2 steps, seed 0"
    assert report.header["runs"] == "7 in 3 rounds, after 1 to warm up"
    assert report.header["load average"].endswith(" after")
    assert str(Path.home()) not in report.header["command"]


@pytest.mark.slow
def test_parity_and_precision_stand_in_the_same_row(made: Any, tmp_path: Path) -> None:
    shutil.copytree(made.bundle.root, tmp_path / "verified")
    (tmp_path / "verified/verify.json").write_text(json.dumps(VERIFIED))
    report = benchmark(tmp_path / "verified", targets=["unet", "try_on"], warmup=0, runs=1, steps=1)
    assert [row.parity_db for row in report.rows] == [99.25, 77.0]
    assert [row.share for row in report.rows] == [0.75, 0.0]  # of a try-on, the network with the least


def test_a_damaged_verify_json_is_an_error_and_not_a_missing_figure(made: Any, tmp_path: Path) -> None:
    shutil.copytree(made.bundle.root, tmp_path / "verified")
    (tmp_path / "verified/verify.json").write_text('{"artifacts": [{}]}')
    with pytest.raises(UserError, match="not what lite-vton verify writes"):
        benchmark(tmp_path / "verified", targets=["unet"], warmup=0, runs=1)


@pytest.mark.slow
def test_backends_take_turns(two_precisions: Path) -> None:
    said: list[str] = []
    both = [("onnxruntime", "fp32"), ("onnxruntime", "fp16")]
    report = benchmark(two_precisions, both, targets=["unet"], warmup=0, runs=4, rounds=2, on_progress=said.append)
    assert said == [
        "load onnxruntime-fp32 unet",
        "load onnxruntime-fp16 unet",
        "round 1/2 onnxruntime-fp32 unet",
        "round 1/2 onnxruntime-fp16 unet",
        "round 2/2 onnxruntime-fp32 unet",
        "round 2/2 onnxruntime-fp16 unet",
    ]
    assert [(row.precision, row.runs) for row in report.rows] == [("fp32", 4), ("fp16", 4)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backends": [("onnxruntim", "fp32")]}, "did you mean 'onnxruntime'"),
        ({"backends": [("onnxruntime", "fp16")]}, "onnx-fp16"),
        ({"backends": []}, "nothing to benchmark"),
        ({"targets": ["unt"]}, "did you mean 'unet'"),
        ({"runs": 0}, "cannot time 0 runs"),
        ({"steps": 601}, "choose from 1 to 600"),
        ({"method": "dimm"}, "did you mean 'ddim'"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(options: dict[str, Any], message: str, made: Any) -> None:
    with pytest.raises(UserError, match=message) as caught:
        benchmark(made.bundle.root, **{"targets": ["unet"], "warmup": 0, "runs": 1} | options)
    assert "\n" not in str(caught.value)


def test_a_process_that_dies_is_reported_with_its_status(made: Any) -> None:
    def kill(said: str) -> None:
        if said.startswith("round 1/"):
            for child in psutil.Process().children():
                child.kill()

    with pytest.raises(UserError, match="benchmark of onnxruntime-fp32 unet ended with status -9"):
        benchmark(made.bundle.root, targets=["unet"], warmup=0, runs=2, on_progress=kill)


def test_an_interrupt_leaves_no_process_behind(made: Any) -> None:
    before = {child.pid for child in psutil.Process().children()}
    started: set[int] = set()

    def interrupt(said: str) -> None:
        if said.startswith("round 1/"):
            started.update({child.pid for child in psutil.Process().children()} - before)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        benchmark(made.bundle.root, targets=["unet"], warmup=0, runs=2, on_progress=interrupt)
    assert started
    assert not any(psutil.pid_exists(pid) for pid in started)


def test_peak_memory_is_the_processs_own_and_not_its_parents() -> None:
    ballast = bytearray(200_000_000)
    code = "from lite_vton_runtimes.benchmark.peak_memory import peak_rss_bytes; print(peak_rss_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 5e6 < int(done.stdout) < 150e6
    assert len(ballast) == 200_000_000


def test_a_zipped_bundle_is_measured_too(made: Any, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "small"), "zip", made.bundle.root))
    assert Bundle.open(archive).manifest == made.bundle.manifest
    (row,) = benchmark(archive, targets=["vae_decoder"], warmup=0, runs=1).rows
    assert row.p50_ms > 0
