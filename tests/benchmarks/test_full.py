"""The full-size benchmark: its arithmetic, its turns, a run of all of it on tiny models, and the order it found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import torch

from lite_vton.model.components import VaeDecoder, VaeEncoder
from lite_vton.model.networks import build_autoencoder
from lite_vton.model.unet import build_unet
from lite_vton.presets.autoencoders import with_autoencoder
from lite_vton.presets.table import preset
from tests.benchmarks.full.figures import Ceiling, Report, Row
from tests.benchmarks.full.growth_child import Point, work_at, write_shapeless
from tests.benchmarks.full.growth_page import parts_of_work, slopes
from tests.benchmarks.full.page import BY_HAND, write_page
from tests.benchmarks.full.turns import Entry, take_turns

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def row(name: str, target: str, ms: float, network: str = "ours", **other: Any) -> Row:
    given = {"side": "ours", "engine": "torch", "precision": "fp32", "autoencoder": "kl", "gflops": 100.0}
    spread = {"p50_ms": ms, "least_ms": 0.9 * ms, "most_ms": 1.2 * ms, "runs": 3, "peak_rss_bytes": 10**9}
    return Row(name=name, network=network, target=target, **(given | spread | other))


@pytest.fixture
def report() -> Report:
    fast = {"engine": "openvino", "precision": "int8", "autoencoder": "tiny"}
    rows = (
        row("teacher", "unet", 4000, "teacher", side="paper"),
        row("student", "unet", 1600, "student", side="paper"),
        row("torch fp32", "unet", 1200),
        row("OpenVINO int8", "unet", 320, **fast),
        row("a peer", "unet", 1000, side="peer"),
        replace(row("another peer", "unet", 1, side="peer"), p50_ms=None, failed="it is not installed"),
        row("torch fp32", "vae_encoder", 5000),
        row("torch fp32", "vae_decoder", 12000),
        row("OpenVINO int8", "try_on", 2000, **fast),
    )
    ceilings = (
        Ceiling("torch", "int8", 300.0),
        Ceiling("openvino", "int8", 400.0),
        Ceiling("torch", "fp32", None, "?"),
    )
    return Report({"machine": "any"}, ceilings, rows, steps=4, paper_steps=50)


def test_a_pipeline_of_the_paper_is_two_encodes_all_its_steps_and_a_decode(report: Report) -> None:
    teacher = report.paper("teacher")
    assert teacher is not None
    assert teacher.p50_ms == 2 * 5000 + 50 * 4000 + 12000
    assert teacher.least_ms == pytest.approx(0.9 * teacher.p50_ms)
    assert teacher.most_ms == pytest.approx(1.2 * teacher.p50_ms)
    whole = report.row("OpenVINO int8", "try_on")
    assert whole is not None
    assert report.times(whole, teacher) == pytest.approx(111)
    assert report.times(whole, report.paper("student")) == pytest.approx(51)


def test_a_step_is_compared_with_the_papers_with_its_own_in_torch_and_with_the_ceiling(report: Report) -> None:
    step = report.best("unet")
    assert step is not None
    assert [report.times(step, other) for other in report.references("unet")] == [12.5, 5.0, 3.75]
    assert report.share(step) == pytest.approx(100 / 0.32 / 400)
    slow = report.row("torch fp32", "unet")
    assert slow is not None
    assert report.share(slow) is None  # its ceiling could not be measured
    peer = report.best("unet", "peer")
    assert peer is not None
    assert peer.name == "a peer"


def test_figures_come_back_from_their_file(report: Report) -> None:
    content = json.loads(json.dumps(report.to_json()))
    assert Report.from_json(content) == report
    (whole,) = (found for found in content["rows"] if found["target"] == "try_on")
    assert (whole["times_a"], whole["times_b"], whole["times_same"]) == pytest.approx((111, 51, 41))


def test_the_page_says_what_was_reached_and_why_something_was_not_and_keeps_what_is_written_by_hand(
    report: Report, tmp_path: Path
) -> None:
    file = tmp_path / "performance.md"
    file.write_text(f"old figures\n{BY_HAND}\n\n## Reading\n\nby hand\n", encoding="utf-8")
    write_page(report, None, file)
    write_page(report, None, file)
    text = file.read_text(encoding="utf-8")
    assert "| 4 steps end to end, times as fast as (a) | 80 | 111.0 | OpenVINO int8 |" in text
    assert "| another peer | not measured: it is not installed |" in text
    assert "old figures" not in text
    assert text.endswith(f"{BY_HAND}\n\n## Reading\n\nby hand\n")


def test_work_is_taken_apart_into_what_grows_with_pixels_and_with_their_square() -> None:
    sizes = ((100, 100), (200, 200), (400, 400))
    work = [{"height": h, "width": w, "gflops": 3e-6 * h * w + 5e-12 * (h * w) ** 2} for h, w in sizes]
    assert parts_of_work(work) == pytest.approx((3.0, 5.0))
    assert slopes([(1, 10), (4, 40), (8, 160)]) == pytest.approx([1.0, 2.0])


_CHILD = """
from lite_vton_runtimes.benchmark.process import Prepared, serve
from lite_vton.errors import UserError
def prepare():
    if {fails}:
        raise UserError("nothing to run")
    return Prepared(0.5, lambda: None)
serve(prepare)
"""


def test_who_holds_much_memory_is_started_anew_each_round_and_who_fails_stops_nobody() -> None:
    command = [sys.executable, "-c", _CHILD.format(fails=False)]
    failing = [sys.executable, "-c", _CHILD.format(fails=True)]
    entries = [Entry("one", command, 2), Entry("none", failing), Entry("two", command)]
    light = take_turns(entries, 3, lambda _: None)
    assert [(len(taken.milliseconds), taken.started) for taken in light] == [(6, 1), (0, 0), (3, 1)]
    assert light[1].failed == "benchmark of none: nothing to run"
    assert all(taken.peak_rss_bytes is None or taken.peak_rss_bytes > 1e6 for taken in (light[0], light[2]))
    heavy = take_turns(entries[:1], 3, lambda _: None, alone=1)
    assert (len(heavy[0].milliseconds), heavy[0].started) == (6, 3)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quick")
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.full",
        "--quick",
        "--output",
        folder,
        "--artifacts",
        folder / "a",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return folder


def test_a_run_of_tiny_models_writes_page_figures_and_picture(quick: Path) -> None:
    content = json.loads((quick / "performance.json").read_text(encoding="utf-8"))
    found = {(entry["name"], entry["target"]): entry for entry in content["rows"]}
    assert not [entry["failed"] for entry in content["rows"] if entry["failed"]]
    step, encode, decode = (
        found[name, target]["p50_ms"]
        for name, target in (("teacher", "unet"), ("torch fp32", "vae_encoder"), ("torch fp32", "vae_decoder"))
    )
    (teacher,) = (paper for paper in content["paper"] if paper["name"] == "teacher")
    assert teacher["p50_ms"] == pytest.approx(2 * encode + 50 * step + decode)
    whole = found["OpenVINO fp32", "try_on"]
    assert whole["times_a"] == pytest.approx(teacher["p50_ms"] / whole["p50_ms"])
    assert whole["runs"] == 1
    assert found["OpenVINO fp32, tiny autoencoder", "try_on"]["runs"] == 1
    assert whole["peak_rss_bytes"] is None or whole["peak_rss_bytes"] < found["torch fp32", "try_on"]["peak_rss_bytes"]
    page = (quick / "performance.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| OpenVINO fp32 |")]
    figures = [float(figure) for line in lines for figure in re.findall(r"\d+\.\d+", line)]
    assert any(figure == pytest.approx(whole["times_a"], rel=0.05) for figure in figures)
    assert (quick / "performance.png").read_bytes().startswith(b"\x89PNG")


def ratio(slow: Callable[[], object], fast: Callable[[], object], times: int = 5) -> float:
    """How many times as much of the processor `slow` takes, both at their best of several turns."""
    taken: dict[Callable[[], object], list[float]] = {slow: [], fast: []}
    for _ in range(times):
        for run, found in taken.items():
            begin = process_time()
            run()
            found.append(process_time() - begin)
    return min(taken[slow][1:]) / min(taken[fast][1:])


def test_int8_on_openvino_is_well_ahead_of_torch_on_the_same_unet(tmp_path: Path) -> None:
    int8 = Point("unet", "demo", "tiny", 256, 192, 1, "int8", str(tmp_path / "unet.xml"), 256, 192)
    write_shapeless(int8, tmp_path / "unet.xml")
    # Measured: 6.3.
    assert ratio(work_at(replace(int8, model=None, precision="fp32")), work_at(int8)) > 1.5


@torch.inference_mode()
def test_attention_at_the_highest_resolution_costs_more_than_it_weighs() -> None:
    demo = preset("demo")
    sample, timestep = torch.randn(1, demo.unet_in_channels, 64, 48), torch.zeros(1, dtype=torch.int64)
    without, with_it = (
        build_unet(replace(demo, unet=replace(demo.unet, attention=(here, True, True)))).eval()
        for here in (False, True)
    )
    assert ratio(lambda: with_it(sample, timestep, None), lambda: without(sample, timestep, None)) > 1.15


@torch.inference_mode()
def test_the_small_autoencoder_is_many_times_as_fast_as_the_large() -> None:
    large = preset("litemp-vton")
    small = with_autoencoder(large, "tiny")
    picture, latent = torch.randn(1, 3, 128, 96), torch.randn(1, large.autoencoder.latent_channels, 16, 12)

    def both(encoder: VaeEncoder, decoder: VaeDecoder) -> Callable[[], object]:
        return lambda: (encoder(picture), decoder(latent))

    slow, fast = (
        both(VaeEncoder(made), VaeDecoder(made))
        for made in (build_autoencoder(config.autoencoder).eval() for config in (large, small))
    )
    assert ratio(slow, fast, times=3) > 5
