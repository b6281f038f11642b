"""What the figures were measured on: versions of tools, processor, threads."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lite_vton_runtimes.tensorrt.nvidia import first_gpu

__all__ = ["tool_versions"]


_TOOLS = (
    "lite-vton",
    "torch",
    "diffusers",
    "transformers",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "coremltools",
    "openvino",
    "nncf",
    "tensorrt-rtx",
    "polygraphy",
    "coreai-core",
    "coreai-torch",
    "numpy",
    "safetensors",
)


def tool_versions() -> dict[str, str]:
    """Versions of Python and of every package that has a part in artifacts, where installed."""
    found = {"python": platform.python_version()}
    for package in _TOOLS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def machine() -> str:
    """What decides how this machine rounds: its processor with what it can do, its threads, and its GPU."""
    gpu = first_gpu()
    system = f"{platform.system()} {platform.machine()}"
    return ", ".join((_processor(), system, f"{_threads()} threads", *([str(gpu)] if gpu else [])))


def _threads() -> str:
    """How many OpenMP uses: torch splits sums among them, and Core ML's evaluator computes by torch.

    One thread and two left 78 dB between the fp16 answers of a full-size U-Net.
    """
    available = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return os.environ.get("OMP_NUM_THREADS") or str(available)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or "unknown processor"
    lines = dict(line.split(":", 1) for line in info.read_text(errors="replace").splitlines() if ":" in line)
    about = {key.strip(): value.strip() for key, value in lines.items()}
    # Of one name there are several: clouds call them all "AMD EPYC".
    features = sha256(" ".join(sorted(about.get("flags", about.get("Features", "")).split())).encode()).hexdigest()[:8]
    return f"{about.get('model name', 'unknown processor')} ({features})"
