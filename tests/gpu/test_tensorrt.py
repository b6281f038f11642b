"""Engines on a GPU: the gates, the CUDA graph, and how much faster; skipped, with the reason, where there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from lite_vton import load
from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.networks import shipped_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.parity.closeness import closeness
from lite_vton_export.parity.gates import GATES
from lite_vton_export.parity.golden import load_trajectory
from lite_vton_export.verify.run import verify
from lite_vton_runtimes.base import NoDeviceError
from lite_vton_runtimes.benchmark.run import benchmark
from lite_vton_runtimes.tensorrt.engine import EngineRequest, read_record, write_engine
from lite_vton_runtimes.tensorrt.nvidia import first_gpu
from lite_vton_runtimes.tensorrt.runtime import TensorRTRuntime

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(first_gpu() is None, reason="this machine has no NVIDIA GPU"),
]

DEMO = preset("demo")
PRECISIONS = ("fp32", "fp16")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The demo student with engines; exporting it runs them, and holds them to the gates, once already."""
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT: pip install 'lite-vton[tensorrt]'")
    random, size = np.random.default_rng(0), (DEMO.height, DEMO.width)
    mask = np.zeros(size, np.float32)
    mask[size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 1
    person, garment, pose = (random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(3))
    inputs = TryOnInputs.compose(person, mask, garment, mask, pose)
    target = tmp_path_factory.mktemp("gpu") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITE_VTON_ENGINE_CACHE", "off")
        return export_bundle(shipped_networks(DEMO), inputs, target, ("onnx", "tensorrt"), PRECISIONS)


@pytest.fixture(scope="module")
def runnable(bundle: Bundle) -> Bundle:
    """The same where its engines run. TensorRT-RTX does not support every GPU; what it says is the reason to skip."""
    try:
        for precision in PRECISIONS:
            TensorRTRuntime(bundle, precision).close()
    except NoDeviceError as error:
        pytest.skip(str(error))
    return bundle


def test_a_gpu_that_tensorrt_does_not_support_says_nothing_against_the_engines(bundle: Bundle) -> None:
    report = verify(bundle, artifacts=["tensorrt-fp16"], write=False)
    (row,) = report.artifacts
    assert row.failures == ()
    assert report.exit_code == (0 if row.skipped is None else 2)
    assert bool(row.calls) == (row.skipped is None)
    assert row.skipped is None or row.read_back


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_component_passes_its_gate_at_every_step_and_the_picture_too(runnable: Bundle, precision: str) -> None:
    (row,) = verify(runnable, artifacts=[f"tensorrt-{precision}"], write=False).artifacts
    assert (row.failures, row.skipped) == ((), None)
    assert len(row.calls) == len(load_trajectory(runnable.path("golden/trajectory.npz")).calls)
    assert min(call.psnr_db for call in row.calls) >= GATES[precision].psnr_db
    assert row.picture_psnr_db is not None
    assert row.picture_psnr_db >= GATES[precision].picture_psnr_db


def test_fp16_is_really_less_exact(runnable: Bundle) -> None:
    """An engine that ran its fp32 products in TF32, or fp16 ones in fp32, would show here."""
    names = [f"tensorrt-{precision}" for precision in PRECISIONS]
    full, half = verify(runnable, artifacts=names, write=False).artifacts
    assert half.worst("unet").psnr_db < full.worst("unet").psnr_db - 20


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_cuda_graph_answers_what_single_kernels_do_and_sees_new_inputs(runnable: Bundle, precision: str) -> None:
    calls = [c for c in load_trajectory(runnable.path("golden/trajectory.npz")).calls if c.component == "unet"]
    graph, single = (TensorRTRuntime(runnable, precision, cuda_graph=on) for on in (True, False))
    try:
        answers = [graph.components["unet"](call.inputs)["out_sample"] for call in (*calls, *calls)]
        kept = [answer.copy() for answer in answers]
        for call, first, second in zip(calls, answers, answers[len(calls) :], strict=False):
            alone = single.components["unet"](call.inputs)["out_sample"]
            assert closeness(first, alone).psnr_db > 100
            np.testing.assert_array_equal(first, second)  # replayed, with other inputs in between
            assert closeness(first, call.outputs["out_sample"]).psnr_db >= GATES[precision].psnr_db
        for before, after in zip(kept, answers, strict=True):
            np.testing.assert_array_equal(before, after)  # no answer is written over by a later call
    finally:
        graph.close()
        single.close()
    assert not graph.components


def _milliseconds(run: Callable[[], Any]) -> float:
    for _ in range(10):
        run()
    taken = []
    for _ in range(30):
        begin = perf_counter()
        run()
        taken.append((perf_counter() - begin) * 1e3)
    return median(taken)


def test_it_is_faster_than_torch_on_the_processor(
    runnable: Bundle, record_property: Callable[[str, object], None]
) -> None:
    """As ratios, for each machine has its own milliseconds."""
    calls = load_trajectory(runnable.path("golden/trajectory.npz")).calls
    fed = next(call.inputs for call in calls if call.component == "unet")
    runtimes = {
        "torch-fp32": load(runnable, "torch", "fp32"),
        **{f"tensorrt-{p}": TensorRTRuntime(runnable, p) for p in PRECISIONS},
        "tensorrt-fp16, no graph": TensorRTRuntime(runnable, "fp16", cuda_graph=False),
    }
    taken = {name: _milliseconds(lambda r=runtime: r.components["unet"](fed)) for name, runtime in runtimes.items()}
    for runtime in runtimes.values():
        runtime.close()
    ratios = {name: taken["torch-fp32"] / value for name, value in taken.items()}
    for name, ratio in ratios.items():
        record_property(f"times as fast as torch-fp32: {name}", round(ratio, 2))
    print(f"{first_gpu()}:", ", ".join(f"{name} {ratio:.1f}x" for name, ratio in ratios.items()))
    assert ratios["tensorrt-fp16"] > 1
    assert ratios["tensorrt-fp16"] > 0.8 * ratios["tensorrt-fp16, no graph"]


def test_the_benchmark_has_its_rows(runnable: Bundle) -> None:
    report = benchmark(runnable.root, [("tensorrt", "fp16")], targets=["unet", "try_on"], warmup=2, runs=4, rounds=2)
    assert [(row.backend, row.target) for row in report.rows] == [("tensorrt", "unet"), ("tensorrt", "try_on")]
    assert all(row.p50_ms > 0 and row.parity_db is not None and row.parity_db >= 35 for row in report.rows)


def test_it_runs_without_torch(runnable: Bundle) -> None:
    code = """
import sys
import numpy as np
from lite_vton import load
runtime = load(sys.argv[1], "tensorrt", "fp16")
sample = np.zeros(tuple(int(side) for side in sys.argv[2:]), np.float32)
print(runtime.components["vae_encoder"]({"sample": sample})["latent_parameters"].shape)
assert "torch" not in sys.modules
"""
    tensors = runnable.manifest.components["vae_encoder"]
    (sample,), (moments,) = tensors.inputs, tensors.outputs
    command = [sys.executable, "-c", code, str(runnable.root), *map(str, sample.shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(moments.shape) in done.stdout


def test_an_engine_for_another_gpu_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    import shutil

    from lite_vton.bundle import record_files, write_manifest

    shutil.copytree(bundle.root, tmp_path / "copy")
    engine = tmp_path / "copy/tensorrt-fp16/unet/model.engine"
    asked = read_record(engine).model_dump(include=set(EngineRequest.model_fields))
    write_engine(EngineRequest(**asked | {"compute_capabilities": ("7.5",)}), engine.read_bytes(), engine.parent)
    files = record_files(tmp_path / "copy")
    write_manifest(tmp_path / "copy", bundle.manifest.model_copy(update={"files": files}))
    with pytest.raises(UserError, match=r"compute capability 7\.5, here is .*: export it again on this machine"):
        load(tmp_path / "copy", "tensorrt", "fp16")
