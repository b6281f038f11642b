"""`lite-vton benchmark`: time, memory and size of a bundle on each backend."""

from __future__ import annotations

from lite_vton.cli.next_steps import say_your_own_photos
from lite_vton.cli.options.backends import Backends, Precisions, Runs, Targets, Warmup
from lite_vton.cli.options.models import BundlePath
from lite_vton.cli.options.output import Json, ReportFolder
from lite_vton.cli.options.sampling import Sampler, Seed, Steps
from lite_vton.cli.screen import Watch, megabytes, print_json, print_table
from lite_vton.errors import UserError
from lite_vton.messages.choices import words
from lite_vton.messages.commands import command
from lite_vton.workflows.backends import usable_backends

__all__ = ["benchmark"]


def benchmark(
    path: BundlePath,
    output: ReportFolder = None,
    backends: Backends = "",
    precisions: Precisions = "",
    targets: Targets = "",
    warmup: Warmup = 10,
    runs: Runs = 20,
    steps: Steps = None,
    sampler: Sampler = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Time a bundle: each network and the whole try-on.

    Each backend runs in processes of its own, taking turns.
    """
    import json

    from lite_vton.bundle import Bundle
    from lite_vton.workflows.benchmark import measure

    watch = Watch()
    if targets and not words(targets):
        raise UserError("no target given: name components, try_on or fused, or leave --target out")
    measured = measure(
        path,
        output,
        backends,
        precisions,
        targets=words(targets),
        warmup=warmup,
        runs=runs,
        steps=steps,
        sampler=sampler,
        seed=seed,
    )
    if as_json:
        print_json(json.loads(measured.report.to_json()))
        return
    print_table(
        ("backend", "precision", "target", "load s", "p50 ms", "p95 ms", "peak RSS", "parity dB", "in precision"),
        [
            (
                row.backend,
                row.precision,
                row.target,
                f"{row.load_s:.2f}",
                f"{row.p50_ms:.1f}",
                f"{row.p95_ms:.1f}",
                "unknown" if row.peak_rss_bytes is None else megabytes(row.peak_rss_bytes),
                "" if row.parity_db is None else f"{row.parity_db:.1f}",
                "" if row.share is None else f"{row.share:.0%}",
            )
            for row in measured.report.rows
        ],
    )
    others = () if backends else usable_backends(Bundle.open(path, check=False))[1]
    for line in (*others, *measured.left_out):
        print(f"left out {line}")
    say_your_own_photos(path)
    watch.wrote(measured.written, command("inspect", path))
