"""How fast, how large and how true: every backend of a bundle, each measured in processes of its own.

The backends of one target take turns in rounds, so that a machine that slows down over time slows all of them alike.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from lite_vton.bundle import Bundle, strict_json
from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of
from lite_vton_runtimes.backends import BACKENDS
from lite_vton_runtimes.benchmark.child import FUSED, TRY_ON, Job
from lite_vton_runtimes.benchmark.process import started
from lite_vton_runtimes.benchmark.report import BenchmarkReport, Row
from lite_vton_runtimes.sampling.methods import METHODS
from lite_vton_runtimes.sampling.schedule import timesteps

__all__ = ["benchmark", "load_average", "machine_and_versions"]


def benchmark(
    bundle: str | Path,
    backends: Sequence[tuple[str, str]] = (("onnxruntime", "fp32"),),
    *,
    targets: Sequence[str] | None = None,
    warmup: int = 10,
    runs: int = 20,
    rounds: int = 5,
    method: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    on_progress: Callable[[str], None] | None = None,
) -> BenchmarkReport:
    """Measure `targets` on `backends`, pairs of backend name and precision; rows come in that order.

    `targets` are names of the model's networks, "try_on", or "fused", the same in one graph where the bundle has that;
    default, all of them.
    `runs` timed runs per row are spread over `rounds`, after `warmup` untimed ones and one more in each round.
    `method` and `steps` default to the bundle's. Inputs are random: no network here takes longer for one picture than
    for another. The header holds the load average before and after: far above what one process makes, something else
    was running, and the figures are of little worth.
    Raises `UserError` for an unknown name, counts below 1, or whatever a backend cannot do.
    """
    opened = Bundle.open(bundle)
    present = (*opened.manifest.model.components, TRY_ON, *([FUSED] if opened.manifest.fused else []))
    backends = list(dict.fromkeys(backends))
    targets = present if targets is None else list(dict.fromkeys(targets))
    for name, _ in backends:
        one_of("backend", name, BACKENDS)
    for name in targets:
        one_of("target", name, present)
    if not backends or not targets:
        raise UserError("nothing to benchmark: name at least one backend and one target")
    if runs < 1 or rounds < 1 or warmup < 0:
        raise UserError(f"cannot time {runs} runs in {rounds} rounds after {warmup}: give runs and rounds of 1 or more")
    method = method or opened.manifest.default_sampler
    steps = opened.manifest.default_steps if steps is None else steps
    one_of("sampling method", method, METHODS)
    timesteps(opened.manifest.model.schedule, steps)  # refuses a count now that the last target would refuse later
    say = on_progress or (lambda _: None)
    load_before = load_average()

    # Rounds have equal shares of the runs, the first ones one more where they do not divide evenly.
    shares = [len(range(start, runs, rounds)) for start in range(min(rounds, runs))]
    parity, in_precision = _verified(opened)
    rows: dict[tuple[str, str, str], Row] = {}
    for together in _turns(targets):
        jobs = [
            Job(str(bundle), name, precision, target, method, steps, seed, warmup)
            for name, precision in backends
            for target in together
        ]
        jobs = [job for job in jobs if job.target != FUSED or _artifact(job) in opened.manifest.fused]
        for job, measured in zip(jobs, _measure(jobs, shares, say), strict=True):
            key = (_artifact(job), TRY_ON if job.target == FUSED else job.target)
            row = _row(job, measured, _artifact_bytes(opened, job), parity.get(key), in_precision.get(key))
            rows[job.backend, job.precision, job.target] = row

    settings = {
        "model": opened.manifest.model.name,
        "picture": f"{opened.manifest.width}x{opened.manifest.height}",
        "sampling": f"{method}, {steps} steps, seed {seed}",
        "runs": f"{runs} in {len(shares)} rounds, after {warmup} to warm up",
        "load average": f"{load_before} before, {load_average()} after",
    }
    order = [(name, precision, target) for name, precision in backends for target in targets]
    order = [key for key in order if key in rows]
    return BenchmarkReport(
        machine_and_versions([name for name, _ in backends]) | settings, tuple(rows[key] for key in order)
    )


def _turns(targets: Sequence[str]) -> list[tuple[str, ...]]:
    """Targets that take turns: one at a time, so that few processes hold a model, but both forms of a try-on."""
    both = tuple(target for target in targets if target in (TRY_ON, FUSED))
    return [*((target,) for target in targets if target not in both), *([both] if both else [])]


@dataclass(frozen=True)
class _Measured:
    """What one process told."""

    load_s: float
    milliseconds: tuple[float, ...]
    peak_rss_bytes: int | None


def _measure(jobs: Sequence[Job], shares: Sequence[int], say: Callable[[str], None]) -> list[_Measured]:
    milliseconds: list[list[float]] = [[] for _ in jobs]
    with ExitStack() as stack:
        children = []
        for job in jobs:
            say(f"load {_label(job)}")
            children.append(stack.enter_context(started(_command(job), _label(job))))
        for turn, share in enumerate(shares, start=1):
            for job, child, taken in zip(jobs, children, milliseconds, strict=True):
                say(f"round {turn}/{len(shares)} {_label(job)}")
                taken += child.ask(share)
        peaks = [child.finish() for child in children]
    return [
        _Measured(child.load_s, tuple(taken), peak)
        for child, taken, peak in zip(children, milliseconds, peaks, strict=True)
    ]


def _row(
    job: Job, measured: _Measured, artifact_bytes: int | None, parity_db: float | None, share: float | None
) -> Row:
    p50, p90, p95 = (float(value) for value in np.percentile(measured.milliseconds, [50, 90, 95]))
    return Row(
        backend=job.backend,
        precision=job.precision,
        target=job.target,
        load_s=measured.load_s,
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        runs=len(measured.milliseconds),
        peak_rss_bytes=measured.peak_rss_bytes,
        artifact_bytes=artifact_bytes,
        parity_db=parity_db,
        share=share,
    )


def _command(job: Job) -> list[str]:
    return [sys.executable, "-m", "lite_vton_runtimes.benchmark.child", job.to_json()]


def _label(job: Job) -> str:
    return f"{job.backend}-{job.precision} {job.target}"


def _artifact(job: Job) -> str:
    """Folder name, also the key of verify.json; of torch, a name no artifact has."""
    return f"{BACKENDS[job.backend].artifact}-{job.precision}{'-fused' if job.target == FUSED else ''}"


def _artifact_bytes(bundle: Bundle, job: Job) -> int | None:
    manifest = bundle.manifest
    if BACKENDS[job.backend].artifact is not None:
        folder = f"{_artifact(job)}/" if job.target in (TRY_ON, FUSED) else f"{_artifact(job)}/{job.target}"
    elif manifest.weights is not None and job.target == TRY_ON:
        folder = f"{manifest.weights}/"
    else:
        return None  # encoder and decoder share one weights file
    return sum(record.bytes for path, record in manifest.files.items() if path.startswith(folder))


_Figures = dict[tuple[str, str], float]
"""By artifact folder and target."""


def _verified(bundle: Bundle) -> tuple[_Figures, _Figures]:
    """PSNR in dB, and the share of multiplications in the precision, out of verify.json; both empty without it."""
    file = bundle.root / "verify.json"
    parity: _Figures = {}
    shares: _Figures = {}
    if not file.is_file():
        return parity, shares
    try:
        for artifact in strict_json(file.read_bytes())["artifacts"]:
            name = artifact["artifact"]
            for call in artifact["calls"]:
                key = (name, call["component"])
                parity[key] = min(float(call["psnr_db"]), parity.get(key, float("inf")))
            if artifact["picture_psnr_db"] is not None:
                parity[name, TRY_ON] = float(artifact["picture_psnr_db"])
            for component, found in artifact.get("shares", {}).items():
                share = float(found["multiplications"].get(artifact["precision"], 0.0))
                shares[name, component] = share
                shares[name, TRY_ON] = min(share, shares.get((name, TRY_ON), 1.0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is not what lite-vton verify writes: run it again") from error
    return parity, shares


def machine_and_versions(packages: Sequence[str]) -> dict[str, str]:
    """The start of a report's header: machine, date, command, and versions, those of `packages` too."""
    versions = {"python": platform.python_version()}
    for package in dict.fromkeys(("lite-vton", "numpy", *packages)):
        with suppress(PackageNotFoundError):  # a backend need not be called like a package
            versions[package] = version(package)
    # Only the program's name: where it is installed says nothing about speed.
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {
        "machine": f"{_processor()}, {os.cpu_count()} logical cores, {platform.system()} {platform.machine()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
    }


def load_average() -> str:
    """Runnable processes over the last minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"
