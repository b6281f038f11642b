"""Build the TensorRT engines of a whole model at full size and read them back; prints a Markdown table.

    python tests/benchmarks/tensorrt_full_size.py [PRESET] [-o FOLDER]

Weights are random, for time, size and memory do not depend on them. Each engine is built twice, in processes of their
own, one after another: that both give the same bytes is what `lite-vton verify` relies on where there is no GPU.
No GPU is needed. `litemp-vton` takes ten minutes, 7 GB of memory and 5 GB in FOLDER.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

from lite_vton.presets.table import preset
from lite_vton_runtimes.benchmark.peak_memory import peak_rss_bytes
from lite_vton_runtimes.tensorrt.engine import read_record

PRECISIONS = ("fp32", "fp16")


@dataclass(frozen=True)
class Built:
    """One engine. Times in seconds; `found` is its precision as read back, `shares` that of its multiplications."""

    component: str
    precision: str
    build_s: float
    read_s: float
    engine_bytes: int
    found: str
    share: float
    products: int
    peak_rss_bytes: int
    same_bytes: bool


def export(model: str, folder: Path) -> tuple[float, int]:
    """Weights and ONNX files of every component in both precisions; seconds and peak memory."""
    from lite_vton.model.components import components_of
    from lite_vton.model.networks import random_networks, save_networks
    from lite_vton_export.onnx.write import export_onnx

    begin = perf_counter()
    networks = random_networks(preset(model))
    save_networks(networks, folder / "weights/autoencoder.safetensors", folder / "weights/unet.safetensors")
    for name, spec in components_of(networks.config).items():
        folders = {precision: folder / f"onnx-{precision}/{name}" for precision in PRECISIONS}
        export_onnx(spec.wrap(networks), spec, networks.config, folders)
    return perf_counter() - begin, peak_rss_bytes() or 0


def build(model: str, component: str, precision: str, folder: Path) -> tuple[float, int]:
    """One engine from its ONNX file, not from the cache; seconds and peak memory."""
    from lite_vton.model.components import component_tensors
    from lite_vton_export.tensorrt.write import build_engine, engine_request
    from lite_vton_runtimes.tensorrt.engine import write_engine
    from lite_vton_runtimes.tensorrt.library import load_tensorrt

    tensorrt = load_tensorrt()
    source = folder / f"onnx-{precision}/{component}/model.onnx"
    tensors = component_tensors(preset(model))[component]
    begin = perf_counter()
    request = engine_request(source, model, component, precision, tensors, tensorrt, ())
    write_engine(request, build_engine(source, request, tensorrt), folder / f"tensorrt-{precision}/{component}")
    return perf_counter() - begin, peak_rss_bytes() or 0


def compare(model: str, precision: str, folder: Path) -> tuple[tuple[str, ...], float]:
    """What of the weights is not in the engines, and seconds."""
    from lite_vton_export.tensorrt.weights import missing_values

    engines = {name: folder / f"tensorrt-{precision}/{name}/model.engine" for name in preset(model).components}
    begin = perf_counter()
    return missing_values(folder / "weights", engines, preset(model), precision), perf_counter() - begin


def measure(model: str, component: str, precision: str, folder: Path, pool: ProcessPoolExecutor) -> Built:
    """Build twice, read back once."""
    from lite_vton_export.tensorrt.plan import read_plan
    from lite_vton_export.tensorrt.precision import found_precision

    engine = folder / f"tensorrt-{precision}/{component}/model.engine"
    hashes, seconds, peaks = [], [], []
    for _ in range(2):
        taken, peak = pool.submit(build, model, component, precision, folder).result()
        hashes.append(read_record(engine).engine_sha256)
        seconds.append(taken)
        peaks.append(peak)
    begin = perf_counter()
    found, plan = found_precision(engine), read_plan(engine)
    return Built(
        component=component,
        precision=precision,
        build_s=min(seconds),
        read_s=perf_counter() - begin,
        engine_bytes=engine.stat().st_size,
        found=found,
        share=plan.shares.multiplications.get(precision, 0.0),
        products=len(plan.products),
        peak_rss_bytes=max(peaks),
        same_bytes=len(set(hashes)) == 1,
    )


def main() -> int:
    """Measure and print; 1 if an engine is not what it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("preset", nargs="?", default="litemp-vton")
    parser.add_argument("--output", "-o", type=Path, help="keep the files here instead of deleting them")
    arguments = parser.parse_args()
    config = preset(arguments.preset)
    with tempfile.TemporaryDirectory(prefix="lite-vton-") as temporary:
        folder = arguments.output or Path(temporary)
        # A process for each task: what one had in memory is not counted for the next.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            exported_s, exported_peak = pool.submit(export, config.name, folder).result()
            rows = [
                measure(config.name, component, precision, folder, pool)
                for component in config.components
                for precision in PRECISIONS
            ]
            values = {p: pool.submit(compare, config.name, p, folder).result() for p in PRECISIONS}
        record = read_record(folder / f"tensorrt-fp16/{config.components[0]}/model.engine")
    print(f"`{shlex.join([Path(sys.executable).name, *sys.argv])}`")
    print(f"{record.flavour} {record.version}, {record.built_on}, {processor()}, {datetime.now(UTC).date()}")
    print(f"{config.name}, {config.width}x{config.height}, random weights; ONNX files of all components in both")
    print(f"precisions beforehand: {exported_s:.0f} s, peak RSS {exported_peak / 1e9:.1f} GB\n")
    heads = ("engine", "precision", "built in s", "MB", "peak RSS GB", "read back", "kernels with weights", "in s")
    print("| " + " | ".join((*heads, "built again")) + " |")
    print("|---|---|--:|--:|--:|---|--:|--:|---|")
    for row in rows:
        cells = (
            row.component,
            row.precision,
            f"{row.build_s:.1f}",
            f"{row.engine_bytes / 1e6:.1f}",
            f"{row.peak_rss_bytes / 1e9:.2f}",
            f"{row.found}, {row.share:.0%}",
            str(row.products),
            f"{row.read_s:.1f}",
            "same bytes" if row.same_bytes else "OTHER BYTES",
        )
        print("| " + " | ".join(cells) + " |")
    print()
    for precision, (missing, seconds) in values.items():
        print(
            f"Weights against the engines, {precision}: {'; '.join(missing) or 'every value there'} ({seconds:.0f} s)"
        )
    sound = all(row.same_bytes and row.found == row.precision for row in rows)
    return 0 if sound and not any(missing for missing, _ in values.values()) else 1


def processor() -> str:
    """The processor's name, as Linux tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.is_file() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


if __name__ == "__main__":
    raise SystemExit(main())
