"""What a training step and an export of a full-size preset take on this machine: seconds, peak memory, as Markdown.

    python tests/benchmarks/full_size.py --preset teacher --preset litemp-vton

Weights are random: neither time nor memory depends on their values. Each figure is a process's own, which the system
ends first should memory run out. A step is `lite_vton_training.loop.fit.fit`'s second one on a batch of one pair (its
first also makes the optimiser's moments): the U-Net in float32, AdamW, moving average, log, and no checkpoint; a
student's has its teacher beside it, whose output it is distilled from. An export is what `lite-vton export PRESET
--steps 1` does: drawing a pair, the golden trajectory and verification against torch are part of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30


@dataclass(frozen=True)
class Measured:
    """`seconds` of a step or of the whole export, `peak_bytes` of memory resident at once, `bytes_written` to disk.

    `busy_seconds` are those of all its threads together, which other work on the machine changes less.
    """

    seconds: float
    busy_seconds: float
    peak_bytes: int
    bytes_written: int = 0


def training_step(preset: str, folder: Path, *, gradient_checkpointing: bool) -> Measured:
    """One optimiser step in this process."""
    import torch

    from lite_vton.model.denoiser import Denoiser, alpha_bars
    from lite_vton.model.networks import build_networks
    from lite_vton.presets.table import preset as preset_of
    from lite_vton_runtimes.benchmark.peak_memory import peak_rss_bytes
    from lite_vton_training.dataset.latents import LatentPairs
    from lite_vton_training.loop.fit import LoopConfig, fit
    from lite_vton_training.trainers.losses import LossConfig, distillation
    from lite_vton_training.trainers.noise_loss import NoiseLoss

    class Done(BaseException):
        """Ends the run before its checkpoint is written."""

    config = preset_of(preset)
    _, channels, height, width = config.latent_shape
    picture = torch.randn((2, channels, height, width), generator=torch.Generator().manual_seed(0))
    pairs = LatentPairs(picture, torch.ones(2, 1, height, width), picture, picture)
    denoiser = Denoiser(config, build_networks(config).unet)
    teacher, kind = None, distillation("none")
    if config.teacher is not None:
        taught = preset_of(config.teacher)
        teacher, kind = Denoiser(taught, build_networks(taught).unet), distillation("output")
    loss = NoiseLoss(pairs, alpha_bars(config.schedule), 1, config.unet, kind, LossConfig(), teacher)
    loop = LoopConfig(
        steps=2, batch_size=1, learning_rate=1e-5, warmup_steps=1, gradient_checkpointing=gradient_checkpointing
    )
    ended: list[tuple[float, float]] = []

    def on_step(_step: int, _terms: Mapping[str, float]) -> None:
        ended.append((time.monotonic(), time.process_time()))
        if len(ended) == 2:
            raise Done

    with suppress(Done):
        fit(denoiser, loss, loop, folder, on_step=on_step)
    peak = peak_rss_bytes()
    assert peak is not None
    first, second = ended
    return Measured(second[0] - first[0], second[1] - first[1], peak)


def whole_export(preset: str, folder: Path, *, precision: str) -> Measured:
    """One verified bundle, in this process."""
    from lite_vton.workflows.export import export_model
    from lite_vton_runtimes.benchmark.peak_memory import peak_rss_bytes

    began, busy = time.monotonic(), time.process_time()
    bundle = folder / "bundle"
    export_model(preset, bundle, ["onnx"], [precision], steps=1)
    seconds, busy = time.monotonic() - began, time.process_time() - busy
    peak = peak_rss_bytes()
    assert peak is not None
    return Measured(seconds, busy, peak, sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file()))


WORK: Mapping[str, Callable[[str, Path], Measured]] = {
    "training step": lambda preset, folder: training_step(preset, folder, gradient_checkpointing=False),
    "training step, gradient checkpointing": lambda preset, folder: training_step(
        preset, folder, gradient_checkpointing=True
    ),
    "export to ONNX fp32": lambda preset, folder: whole_export(preset, folder, precision="fp32"),
    "export to ONNX fp16": lambda preset, folder: whole_export(preset, folder, precision="fp16"),
}


def main() -> None:
    """Measure what is asked for, print a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--preset", action="append", default=[], help="may be repeated; default: teacher, litemp-vton")
    parser.add_argument("--work", action="append", default=[], choices=WORK, help="may be repeated; default: all")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    presets, works = arguments.preset or ["teacher", "litemp-vton"], arguments.work or list(WORK)
    if arguments.here:
        _be_ended_first()
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(vars(WORK[works[0]](presets[0], Path(folder)))))
        return
    print(f"{_machine()}; {time.strftime('%Y-%m-%d')}\n")
    print("| preset | work | seconds | busy seconds | peak memory | written |\n|---|---|---|---|---|---|")
    for preset in presets:
        for work in works:
            print(f"| `{preset}` | {work} | {_cells(preset, work)} |", flush=True)


def _cells(preset: str, work: str) -> str:
    command = [sys.executable, __file__, "--here", "--preset", preset, "--work", work]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ran.returncode:
        cause = "ended by the system, out of memory" if ran.returncode == -9 else f"failed ({ran.returncode})"
        return f"{cause} | | | "
    found = Measured(**json.loads(ran.stdout.splitlines()[-1]))
    written = f"{found.bytes_written / GIB:.2f} GiB" if found.bytes_written else ""
    return f"{found.seconds:.0f} | {found.busy_seconds:.0f} | {found.peak_bytes / GIB:.1f} GiB | {written}"


def _be_ended_first() -> None:
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text("1000")


def _machine() -> str:
    import torch

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return f"{platform.machine()}, {os.cpu_count()} cores, {total:.0f} GiB, torch {torch.__version__}"


if __name__ == "__main__":
    main()
