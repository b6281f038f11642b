"""The paper's tables in small: trains every row of training/ablations.py that is missing, and writes docs/results.md.

`just reproduce` runs it and leaves everything it made in runs/reproduce; stopped in whatever way, it goes on where it
was. One process a folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from lite_vton.errors import UserError
from lite_vton.model.networks import shipped_networks
from lite_vton.presets import preset
from training.ablations import BUDGETS, ROWS, TABLES, Budget, Row
from training.bfloat16 import bf16_pays
from training.drawn_pairs import held_out_pictures
from training.metrics import find_backbones
from training.results import read_results
from training.results_page import page
from training.results_pictures import draw_curves, draw_people
from training.trial import Trials, atomically
from training.weights_digest import weights_digest

__all__ = ["chosen_rows", "reproduce", "write_page"]

PEOPLE = 4
"""On each sheet of pictures."""

COMMAND = "just reproduce"


def reproduce(trials: Trials, rows: Sequence[Row], seeds: Sequence[int], written: Path, command: str = COMMAND) -> None:
    """Run what is missing of `rows` with `seeds`, one seed of all rows before the next, and write the page each time.

    `UserError` for a folder that holds results of another budget or of other shipped weights.
    """
    _claim(trials)
    for seed in seeds:
        for row in rows:
            trials.run(row, seed)
        write_page(trials, written, command)


def write_page(trials: Trials, written: Path, command: str = COMMAND) -> None:
    """`written` from the results there are, and beside it its pictures and every trial's figures as JSON."""
    results = read_results(trials.folder, ROWS)
    written.parent.mkdir(parents=True, exist_ok=True)
    atomically(written.with_suffix(".json"), json.dumps(results, indent=1) + "\n")
    pictures = []
    for key, table in TABLES.items():
        there = [row for row in table.rows if row in results]
        if not there:
            continue
        files = {row: [trials.file(ROWS[row], seed) for seed in results[row]] for row in there}
        name = f"results-{key}-curves.png"
        draw_curves(
            {row: [file.with_name("log.csv") for file in found] for row, found in files.items()}, written.parent / name
        )
        pictures.append(name)
        painted = {}
        for row, found in files.items():
            with np.load(found[0].with_name("pictures.npz")) as arrays:
                painted[row] = arrays["pictures"]
            people = held_out_pictures(trials.folder, trials.budget.held_out, trials.config(ROWS[row]))
            inside = people.mask[..., None] > 0  # rows may differ in what they repaint
            painted[row] = np.where(inside, painted[row], people.person)
        usual = held_out_pictures(trials.folder, trials.budget.held_out, preset(trials.budget.student))
        name = f"results-{key}-people.jpg"
        draw_people(painted, usual, PEOPLE, written.parent / name)
        pictures.append(name)
    atomically(written, page(results, trials.budget, command, pictures, written.with_suffix(".json").name))


def chosen_rows(only: Sequence[str], clip: bool) -> list[Row]:
    """Rows and whole tables by name, in the order of training; all without a name. CLIP's rows only with its tower."""
    unknown = [name for name in only if name not in ROWS and name not in TABLES]
    if unknown:
        raise UserError(f"no row or table {unknown[0]!r}: choose among {', '.join((*TABLES, *ROWS))}")
    wanted = {row for name in only for row in (TABLES[name].rows if name in TABLES else (name,))} or set(ROWS)
    return [row for row in ROWS.values() if row.name in wanted and (clip or "D" not in row.components)]


def _claim(trials: Trials) -> None:
    """Mark the folder as this budget's and these weights', so that no other's results are taken for its own."""
    file = trials.folder / "budget.json"
    settings = {
        "budget": asdict(trials.budget),
        "bf16": trials.bf16,
        "weights": weights_digest(trials.taught.autoencoder, trials.taught.unet),
    }
    text = json.dumps(settings, indent=2) + "\n"
    if file.is_file() and file.read_text(encoding="utf-8") != text:
        raise UserError(
            f"{trials.folder} holds results of another budget, arithmetic or other shipped weights: "
            "remove it, or choose another --folder"
        )
    trials.folder.mkdir(parents=True, exist_ok=True)
    atomically(file, text)


def main() -> None:
    """Command line: which part to run, with which budget, and where to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--budget", choices=BUDGETS, default="small", help="how many pairs and steps a row gets")
    parser.add_argument("--steps", type=int, help="of every student, instead of the budget's; teachers in proportion")
    parser.add_argument("--seeds", default="0,1,2", help="with commas")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a row or a table; may be repeated")
    parser.add_argument("--threads", type=int, help="of torch; default: one a core")
    parser.add_argument(
        "--bf16",
        action=argparse.BooleanOptionalAction,
        default=bf16_pays(),
        help="arithmetic of training; results of both are not mixed; default: bfloat16 where the processor has it",
    )
    parser.add_argument("--clip", type=Path, help="folder of a CLIP ViT-B/16 image tower, for A+B+C+D")
    parser.add_argument("--lpips-weights", type=Path, help="torchvision's AlexNet; default: torch's cache")
    parser.add_argument("--inception-weights", type=Path, help="FID's Inception; default: torch's cache")
    parser.add_argument("--folder", type=Path, help="data, checkpoints and results; default: runs/reproduce/BUDGET")
    parser.add_argument("--page", type=Path, default=Path("docs/results.md"), help="what to write")
    parser.add_argument("--page-only", action="store_true", help="train nothing, write the page from what is there")
    parser.add_argument("--list", action="store_true", help="train nothing, say what is missing")
    arguments = parser.parse_args()
    try:
        _run(arguments)
    except UserError as error:
        sys.exit(f"error: {error}")


def _run(arguments: argparse.Namespace) -> None:
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    budget = _budget(BUDGETS[arguments.budget], arguments.steps)
    rows, seeds = chosen_rows(arguments.only, arguments.clip is not None), _seeds(arguments.seeds)
    name = arguments.budget if arguments.steps is None else f"{arguments.budget}-{arguments.steps}"
    trials = Trials(
        folder=arguments.folder or Path("runs/reproduce") / name,
        budget=budget,
        taught=shipped_networks(preset(budget.teacher)),
        backbones=find_backbones(arguments.lpips_weights, arguments.inception_weights),
        tower=arguments.clip,
        bf16=arguments.bf16,
    )
    if arguments.list:
        missing = [f"{row.name} {seed}" for seed in seeds for row in rows if not trials.file(row, seed).is_file()]
        print("\n".join(missing) or "nothing is missing")
    elif arguments.page_only:
        write_page(trials, arguments.page, COMMAND)
    else:
        steps = "" if arguments.steps is None else f" --steps {arguments.steps}"
        reproduce(trials, rows, seeds, arguments.page, f"{COMMAND} --budget {arguments.budget}{steps}")


def _budget(budget: Budget, steps: int | None) -> Budget:
    if steps is None:
        return budget
    if steps < 1:
        raise UserError(f"{steps} steps train nothing: give at least one")
    return replace(
        budget, student_steps=steps, teacher_steps=max(1, steps * budget.teacher_steps // budget.student_steps)
    )


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(seed) for seed in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds or min(seeds) < 0:
        raise UserError(f"no seeds in {text!r}: write numbers from 0 with commas, such as 0,1,2")
    return seeds


if __name__ == "__main__":
    main()
