"""How cost grows: components over picture sizes and batches, try-ons over steps; torch and the fastest backend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from lite_vton.bundle import Bundle
from lite_vton.model.cost import component_costs
from lite_vton.presets.autoencoders import with_autoencoder
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset
from lite_vton_runtimes.benchmark.run import load_average, machine_and_versions
from tests.benchmarks.full.artifacts import key_of
from tests.benchmarks.full.contenders import DECODER, ENCODER, TRY_ON, UNET, Scale
from tests.benchmarks.full.engines import Task
from tests.benchmarks.full.growth_child import Point, write_shapeless
from tests.benchmarks.full.measure import CHILD
from tests.benchmarks.full.turns import Entry, Taken, take_turns

__all__ = ["CURVES", "Curve", "Sizes", "measure_growth"]


@dataclass(frozen=True)
class Curve:
    """A component on an engine over all sizes, and over batches at the model's own. `runs` at each point."""

    label: str
    component: str
    autoencoder: str
    engine: str
    precision: str
    batches: tuple[int, ...] = (1, 2, 4)
    runs: int = 2


@dataclass(frozen=True)
class Sizes:
    """What to measure at: pictures as (height, width), the model's own among them, and steps of a try-on."""

    pictures: tuple[tuple[int, int], ...] = ((256, 192), (512, 384), (768, 576), (1024, 768))
    steps: tuple[int, ...] = (1, 2, 4, 8, 20)


CURVES: tuple[Curve, ...] = (
    Curve("U-Net, torch fp32", UNET, "tiny", "torch", "fp32"),
    Curve("U-Net, OpenVINO int8", UNET, "tiny", "openvino", "int8"),
    Curve("tiny encoder, torch fp32", ENCODER, "tiny", "torch", "fp32"),
    Curve("tiny encoder, OpenVINO int8", ENCODER, "tiny", "openvino", "int8"),
    Curve("tiny decoder, torch fp32", DECODER, "tiny", "torch", "fp32"),
    Curve("tiny decoder, OpenVINO int8", DECODER, "tiny", "openvino", "int8"),
    Curve("KL decoder, torch fp32", DECODER, "kl", "torch", "fp32", batches=(1, 2), runs=1),
    Curve("KL decoder, OpenVINO bf16", DECODER, "kl", "openvino", "bf16", runs=1),
)
_TRY_ONS = (("torch", "fp32"), ("openvino", "int8"))


def measure_growth(
    scale: Scale, sizes: Sizes, bundle: Bundle, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Plain data for `growth_page`; `bundle` has the tiny autoencoder and is what try-ons run."""
    before = load_average()
    name = scale.presets["ours"]
    points = []
    for curve in CURVES:
        model = _shapeless(curve, name, sizes, folder, say)
        own = preset(name)
        at = [(height, width, 1) for height, width in sizes.pictures]
        at += [(own.height, own.width, batch) for batch in curve.batches if batch > 1]
        entries = [_entry(curve, name, sizes, model, *place) for place in at]
        for place, taken in zip(at, take_turns(entries, 1, say), strict=True):
            points.append({"curve": curve.label, **_told(curve, name, *place, taken)})
    steps = _steps(name, sizes, bundle, say)
    header = machine_and_versions(["torch", "openvino", "nncf"]) | {
        "command": "just benchmark-growth",
        "load average": f"{before} before, {load_average()} after; the benchmark itself makes up to 2",
    }
    return {
        "header": header,
        "curves": [asdict(curve) for curve in CURVES],
        "points": points,
        "steps": steps,
        "work": _work(name, sizes),
        "bandwidth_gb_per_s": _bandwidth(),
        "own": [preset(name).height, preset(name).width],
    }


def _point(curve: Curve, name: str, sizes: Sizes, model: str | None, height: int, width: int, batch: int) -> Point:
    warm_height, warm_width = min(sizes.pictures)
    return Point(
        curve.component,
        name,
        curve.autoencoder,
        height,
        width,
        batch,
        curve.precision,
        model,
        warm_height,
        warm_width,
    )


def _entry(curve: Curve, name: str, sizes: Sizes, model: str | None, height: int, width: int, batch: int) -> Entry:
    point = _point(curve, name, sizes, model, height, width, batch)
    return Entry(
        f"{curve.label} {height}x{width} batch {batch}",
        [*CHILD, "growth", json.dumps(asdict(point))],
        curve.runs,
    )


def _shapeless(curve: Curve, name: str, sizes: Sizes, folder: Path, say: Callable[[str], None]) -> str | None:
    if curve.engine == "torch":
        return None
    config = with_autoencoder(preset(name), curve.autoencoder)
    key = hashlib.sha256(
        (key_of(config, []) + Path(__file__).with_name("growth_child.py").read_text(encoding="utf-8")).encode()
    ).hexdigest()[:12]
    file = folder / f"growth-{name}-{curve.autoencoder}-{key}" / f"{curve.component}-{curve.precision}.xml"
    if not file.exists():
        say(f"write {file.name}")
        write_shapeless(_point(curve, name, sizes, None, *min(sizes.pictures), 1), file)
    return str(file.resolve())


def _told(curve: Curve, name: str, height: int, width: int, batch: int, taken: Taken) -> dict[str, Any]:
    gflops = _costs(name, curve.autoencoder, height, width)[curve.component].flops * batch / 1e9
    times = taken.milliseconds
    return {
        "height": height,
        "width": width,
        "batch": batch,
        "ms": median(times) if times else None,
        "gflops": gflops,
        "peak_rss_bytes": taken.peak_rss_bytes,
        "failed": taken.failed,
    }


def _steps(name: str, sizes: Sizes, bundle: Bundle, say: Callable[[str], None]) -> list[dict[str, Any]]:
    found = []
    for engine, precision in _TRY_ONS:
        tasks = [
            Task(engine, precision, TRY_ON, name, "tiny", str(bundle.root.resolve()), steps) for steps in sizes.steps
        ]
        entries = [
            Entry(f"{engine} try-on of {task.steps} steps", [*CHILD, "work", json.dumps(asdict(task))])
            for task in tasks
        ]
        for task, taken in zip(tasks, take_turns(entries, 1, say), strict=True):
            found.append(
                {
                    "engine": engine,
                    "precision": precision,
                    "steps": task.steps,
                    "ms": median(taken.milliseconds) if taken.milliseconds else None,
                    "peak_rss_bytes": taken.peak_rss_bytes,
                    "failed": taken.failed,
                }
            )
    return found


def _work(name: str, sizes: Sizes) -> list[dict[str, Any]]:
    """What each component takes at each size, counted: GFLOPs, and numbers alive at once at the worst moment."""
    found = []
    for component, autoencoder in dict.fromkeys((curve.component, curve.autoencoder) for curve in CURVES):
        for height, width in sizes.pictures:
            cost = _costs(name, autoencoder, height, width)[component]
            found.append(
                {
                    "component": component,
                    "autoencoder": autoencoder,
                    "height": height,
                    "width": width,
                    "gflops": cost.flops / 1e9,
                    "activations": cost.activations,
                    "parameters": cost.parameters,
                }
            )
    return found


_COUNTED: dict[ModelConfig, Any] = {}


def _costs(name: str, autoencoder: str, height: int, width: int) -> Any:
    """Of a call with one picture, whatever the model's own encoder takes."""
    config = replace(with_autoencoder(preset(name), autoencoder), height=height, width=width, encoder_batch=1)
    if config not in _COUNTED:
        _COUNTED[config] = component_costs(config)
    return _COUNTED[config]


def _bandwidth() -> float:
    """GB/s that one thread reads and writes copying an array far larger than any cache; the best of five."""
    source, target = np.ones(1 << 27, np.float32), np.empty(1 << 27, np.float32)

    def seconds() -> float:
        begin = perf_counter()
        np.copyto(target, source)
        return perf_counter() - begin

    seconds()  # the pages are handed out
    return 2 * source.nbytes / min(seconds() for _ in range(5)) / 1e9
