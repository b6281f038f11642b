from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "runtimes.base",
        "runtimes.schedule",
        "runtimes.noise",
        "runtimes.methods",
        "runtimes.sampler",
        "runtimes.tryon",
        "runtimes.tensors",
        "runtimes.onnxruntime_runtime",
        "runtimes.tensorrt_runtime",
        "runtimes.benchmark",
        "runtimes.benchmark_child",
        "runtimes.chart",
    ],
)
def test_an_edge_box_needs_no_torch(module: str) -> None:
    """A fresh interpreter imports what running a bundle takes, and neither torch nor the exporter comes along."""
    heavy = ("torch", "diffusers", "onnx", "matplotlib", "lite_vton.model", "export", "training")
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
