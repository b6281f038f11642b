from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "lite_vton_runtimes.base",
        "lite_vton_runtimes.sampling.schedule",
        "lite_vton_runtimes.sampling.noise",
        "lite_vton_runtimes.sampling.methods",
        "lite_vton_runtimes.sampling.sampler",
        "lite_vton_runtimes.sampling.pipeline",
        "lite_vton_runtimes.tensors",
        "lite_vton_runtimes.onnxruntime.runtime",
        "lite_vton_runtimes.tensorrt.runtime",
        "lite_vton_runtimes.benchmark.run",
        "lite_vton_runtimes.benchmark.child",
        "lite_vton_runtimes.benchmark.chart",
    ],
)
def test_an_edge_box_needs_no_torch(module: str) -> None:
    """A fresh interpreter imports what running a bundle takes, and neither torch nor the exporter comes along."""
    heavy = ("torch", "diffusers", "onnx", "matplotlib", "lite_vton.model", "lite_vton_export", "lite_vton_training")
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
