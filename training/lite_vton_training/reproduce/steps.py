"""How far few steps carry the demo student: trains every row of training/lite_vton_training/reproduce/step_trials.py,
writes docs/few-steps.md.

`just reproduce-steps` runs it and leaves everything it made in runs/few-steps; stopped in whatever way, it goes on
where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from lite_vton.atomic import write_text
from lite_vton.errors import UserError
from lite_vton.model.networks import shipped_networks
from lite_vton.presets.table import preset
from lite_vton_training.loop.bfloat16 import bf16_pays
from lite_vton_training.loop.claimed_folder import claim
from lite_vton_training.reproduce.step_page import StepResults, step_page
from lite_vton_training.reproduce.step_trials import WAYS, Found, StepBudget, StepTrials

__all__ = ["reproduce_steps"]

COMMAND = "just reproduce-steps"


def reproduce_steps(trials: StepTrials, ways: Sequence[str], seeds: Sequence[int], page: Path) -> StepResults:
    """Run what is missing and write `page` after each trial, with all figures beside it as JSON.

    `UserError` for an unknown way and for a folder that holds results of another budget or of other weights.
    """
    for way in ways:
        if way not in WAYS:
            raise UserError(f"unknown way to few steps {way!r}: choose among {', '.join(WAYS)}")
    claim(trials.folder / "settings.json", trials.settings(), "results of another budget or of other weights")
    results: dict[str, dict[int, Found]] = {name: {0: found} for name, found in trials.untaught().items()}
    for seed in seeds:
        for way in ways:
            results.setdefault(way, {})[seed] = trials.run(WAYS[way], seed)
            _write(trials, results, page)
    return results


def _write(trials: StepTrials, results: StepResults, page: Path) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    arithmetic = "bfloat16" if trials.bf16 else "float32"
    ran = (
        f"Trained in {arithmetic} on {platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"{time.strftime('%Y-%m-%d')}."
    )
    write_text(page.with_suffix(".json"), json.dumps({**trials.settings(), "results": results}, indent=1) + "\n")
    write_text(page, step_page(results, trials.budget, COMMAND, ran))


def main() -> None:
    """Command line: which rows, how long, and where to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(WAYS), help="ways, with commas")
    parser.add_argument("--seeds", default="0", help="with commas")
    parser.add_argument("--updates", type=int, default=StepBudget.updates, help="of every row's weights")
    parser.add_argument("--threads", type=int, help="of torch; default: one a core")
    parser.add_argument("--folder", type=Path, default=Path("runs/few-steps"), help="data, checkpoints and results")
    parser.add_argument("--page", type=Path, default=Path("docs/few-steps.md"), help="what to write")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    trials = StepTrials(
        arguments.folder,
        replace(StepBudget(), updates=arguments.updates),
        shipped_networks(preset("demo")),
        shipped_networks(preset("demo-teacher")),
        bf16_pays(),
    )
    try:
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
        reproduce_steps(trials, arguments.only.split(","), seeds, arguments.page)
    except UserError as error:
        sys.exit(f"error: {error}")
    except ValueError:
        sys.exit(f"error: no seeds in {arguments.seeds!r}: write numbers with commas, such as 0,1,2")


if __name__ == "__main__":
    main()
