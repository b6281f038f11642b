"""`python -m tests.benchmarks.full`: see the package. Writes into docs/, or where --output says."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from lite_vton.presets.autoencoders import with_autoencoder
from lite_vton.presets.table import preset
from tests.benchmarks.full.artifacts import CHECKOUT, bundle_of
from tests.benchmarks.full.chart import draw
from tests.benchmarks.full.contenders import CONTENDERS, FULL, QUICK
from tests.benchmarks.full.figures import Report
from tests.benchmarks.full.growth import Sizes, measure_growth
from tests.benchmarks.full.growth_page import draw_growth
from tests.benchmarks.full.measure import make_artifacts, measure
from tests.benchmarks.full.page import write_page

_QUICK_SIZES = Sizes(pictures=((64, 48), (128, 96)), steps=(1, 2))


def main() -> None:
    """Measure, then write figures, page and pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.full")
    parser.add_argument("what", nargs="?", choices=("all", "growth", "artifacts"), default="all")
    parser.add_argument(
        "--quick", action="store_true", help="tiny models: whether it runs, and no figure worth keeping"
    )
    parser.add_argument("--rounds", type=int, help="default: 3")
    parser.add_argument("--targets", default="", help="comma-separated, for trials; the page lacks the others")
    parser.add_argument("--only", action="append", metavar="NAME", help="a contender, for trials; may be repeated")
    parser.add_argument("--output", type=Path, help="folder of the page; default: docs, of --quick outputs")
    parser.add_argument("--artifacts", type=Path, default=Path("outputs/benchmark-full"), help="folder of the bundles")
    arguments = parser.parse_args()
    scale = QUICK if arguments.quick else FULL
    if arguments.rounds is not None:
        scale = replace(scale, rounds=arguments.rounds)
    if arguments.targets:
        scale = replace(scale, targets=tuple(arguments.targets.split(",")))
    if arguments.only:
        unknown = set(arguments.only) - {row.name for row in scale.contenders}
        if unknown:
            sys.exit(f"no contender {sorted(unknown)[0]!r}: choose among {', '.join(row.name for row in CONTENDERS)}")
        scale = replace(scale, only=tuple(arguments.only))
    output = arguments.output or (arguments.artifacts / "quick" if arguments.quick else CHECKOUT / "docs")
    output.mkdir(parents=True, exist_ok=True)
    begin = monotonic()

    def say(what: str) -> None:
        print(f"{monotonic() - begin:6.0f} s  {what}", file=sys.stderr, flush=True)

    figures = output / "performance.json"
    kept = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    if arguments.what == "growth":
        if not kept.get("rows"):
            sys.exit(f"{figures} holds no run to write beside: run the benchmark itself first (just benchmark-full)")
        config = with_autoencoder(preset(scale.presets["ours"]), "tiny")
        bundle, _ = bundle_of(config, scale.artifacts("tiny"), arguments.artifacts, say)
        sizes = _QUICK_SIZES if arguments.quick else Sizes()
        growth: dict[str, Any] = measure_growth(scale, sizes, bundle, arguments.artifacts, say)
        draw_growth(growth, output / "performance-growth.png")
        _write(Report.from_json(kept), growth, output)
        return
    made = make_artifacts(scale, arguments.artifacts, say)
    if arguments.what == "artifacts":
        return
    report = measure(scale, made, say)
    draw(report, output / "performance.png")
    _write(report, kept.get("growth"), output)
    say(f"wrote {output / 'performance.md'}")


def _write(report: Report, growth: dict[str, Any] | None, output: Path) -> None:
    content = report.to_json() | ({} if growth is None else {"growth": growth})
    (output / "performance.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    write_page(report, growth, output / "performance.md")


if __name__ == "__main__":
    main()
