"""A benchmark and its report in four kinds of file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.atomic import AtWorkError, claim_inside
from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.messages.choices import several_of
from lite_vton.workflows.backends import usable_backends
from lite_vton.workflows.dress.sampling import check_sampling
from lite_vton.workflows.extras import can_import, how_to_install
from lite_vton.workflows.progress import stages
from lite_vton_runtimes.backends import BACKENDS
from lite_vton_runtimes.benchmark.chart import draw_chart
from lite_vton_runtimes.benchmark.report import write_report

if TYPE_CHECKING:
    from lite_vton_runtimes.benchmark.report import BenchmarkReport

__all__ = ["Measured", "combinations", "measure"]


@dataclass(frozen=True)
class Measured:
    """A report, the files it was written to, and a line for what of them was left out."""

    report: BenchmarkReport
    written: tuple[Path, ...]
    left_out: tuple[str, ...]


def measure(
    path: Path,
    output: Path | None,
    backends: str,
    precisions: str,
    *,
    warmup: int,
    runs: int,
    steps: int | None = None,
    sampler: str | None = None,
    seed: int = 0,
    targets: Sequence[str] | None = None,
) -> Measured:
    """Measure what `backends` and `precisions`, comma-separated, name.

    Without `backends`, every one that this machine and the bundle have; without `precisions`, all the bundle has.
    `targets` are component names or "try_on", by default all of them.
    """
    from lite_vton_runtimes.benchmark.run import benchmark

    opened = Bundle.open(path, check=False)
    if output is None and not path.is_dir():
        raise UserError(f"{path} is one file: say with --output where the report goes")
    folder = path if output is None else output
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: choose a folder for the report")
    check_sampling(opened.manifest.model.schedule, sampler, steps)
    pairs = combinations(opened, backends or ",".join(usable_backends(opened)[0]), precisions)
    with ExitStack() as claimed:
        unwritable = _why_not_writable(folder, claimed)
        if unwritable is not None and output is not None:
            raise unwritable
        with stages("benchmark") as say:
            report = benchmark(
                path,
                pairs,
                targets=targets or None,
                warmup=warmup,
                runs=runs,
                method=sampler,
                steps=steps,
                seed=seed,
                on_progress=say,
            )
        if unwritable is not None:
            return Measured(report, (), (f"the report: {unwritable}",))
        return _written(report, folder)


def _why_not_writable(folder: Path, claimed: ExitStack) -> UserError | None:
    """Claim the report's folder; why it cannot be written to, as a bundle that is read-only cannot."""
    try:
        claimed.enter_context(claim_inside(folder))
    except AtWorkError:
        raise
    except UserError as error:
        return error
    return None


def _written(report: BenchmarkReport, folder: Path) -> Measured:
    try:
        written = write_report(report, folder)
        if not can_import("matplotlib"):
            return Measured(report, written, (f"the chart: it needs matplotlib, {how_to_install(['matplotlib'])}",))

        return Measured(report, (*written, draw_chart(report, folder / "benchmark.png")), ())
    except UserError as error:  # what was measured is told all the same
        return Measured(report, (), (f"the report: {error}",))


def combinations(bundle: Bundle, backends: str, precisions: str) -> tuple[tuple[str, str], ...]:
    """Backend and precision of every row that can be measured: in the bundle, known to the backend, and asked for."""
    known = tuple(dict.fromkeys(p for backend in BACKENDS.values() for p in backend.precisions))
    asked = several_of("precision", precisions, known) if precisions else known
    found = tuple(
        (name, precision)
        for name in several_of("backend", backends, BACKENDS)
        for precision in BACKENDS[name].precisions
        if precision in asked
        and (BACKENDS[name].artifact is None or f"{BACKENDS[name].artifact}-{precision}" in bundle.manifest.artifacts)
    )
    if not found:
        raise UserError(
            f"{bundle.given} has nothing for {backends} at {', '.join(asked)}: "
            f"it holds {', '.join(bundle.manifest.artifacts) or 'no artifact'}"
        )
    return found
