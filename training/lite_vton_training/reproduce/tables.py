"""The paper's tables in small: trains every row of training/lite_vton_training/reproduce/rows.py that is missing, and
writes docs/results.md.

`just reproduce` runs it and leaves everything it made in runs/reproduce; stopped in whatever way, it goes on where it
was. Trials that the JSON beside the page records count as done, wherever they ran, if budget, arithmetic and shipped
weights were the same; a teacher among them is trained again when a student needs it. One process a folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lite_vton.atomic import write_text
from lite_vton.errors import UserError
from lite_vton.model.networks import shipped_networks
from lite_vton.presets.table import preset
from lite_vton_training.dataset.drawn import held_out_pictures
from lite_vton_training.loop.bfloat16 import bf16_pays
from lite_vton_training.loop.claimed_folder import claim
from lite_vton_training.loop.kept_arrays import kept_pictures
from lite_vton_training.metrics import find_backbones
from lite_vton_training.reproduce.page import page
from lite_vton_training.reproduce.pictures import draw_curves, draw_people, rows_shown
from lite_vton_training.reproduce.results import Results, read_recorded
from lite_vton_training.reproduce.rows import BUDGETS, ROWS, TABLES, Budget, Row
from lite_vton_training.reproduce.trial import Trials

__all__ = ["chosen_rows", "reproduce", "write_page"]

PEOPLE = 4
"""On each sheet of pictures."""

COMMAND = "just reproduce"


def reproduce(trials: Trials, rows: Sequence[Row], seeds: Sequence[int], written: Path, command: str = COMMAND) -> None:
    """Run what is missing of `rows` with `seeds`, one seed of all rows before the next, and write the page each time.

    `UserError` for a folder that holds results of another budget or of other shipped weights.
    """
    claim(
        trials.folder / "budget.json",
        trials.circumstances.settings(),
        "results of another budget, arithmetic or other shipped weights",
    )
    for seed in seeds:
        missing = [row for row in rows if not trials.is_done(row, seed)]
        for row in missing:
            trials.run(row, seed)
            write_page(trials, written, command)
    write_page(trials, written, command)


def write_page(trials: Trials, written: Path, command: str = COMMAND) -> None:
    """`written` from the results there are, and beside it its pictures and every trial's figures as JSON.

    A picture is drawn anew unless fewer rows are at hand than it shows already.
    """
    results = trials.results()
    written.parent.mkdir(parents=True, exist_ok=True)
    write_text(written.with_suffix(".json"), json.dumps(results, indent=1) + "\n")
    pictures = {name: rows for key in TABLES for name, rows in _draw(trials, results, key, written.parent).items()}
    write_text(written, page(results, trials.budget, command, pictures, written.with_suffix(".json").name))


def _draw(trials: Trials, results: Results, table: str, folder: Path) -> dict[str, tuple[str, ...]]:
    """The pictures of a table in `folder`, each with the rows that it shows."""
    there = [row for row in TABLES[table].rows if row in results]

    def at_hand(name: str) -> dict[str, list[Path]]:
        files = {row: [trials.file(ROWS[row], seed).with_name(name) for seed in results[row]] for row in there}
        return {row: kept for row, every in files.items() if (kept := [file for file in every if file.is_file()])}

    def curves(files: dict[str, list[Path]], file: Path) -> None:
        draw_curves(files, file)

    def people(files: dict[str, list[Path]], file: Path) -> None:
        usual = held_out_pictures(trials.folder, trials.budget.held_out, preset(trials.budget.student))
        draw_people({row: _painted(trials, row, found[0]) for row, found in files.items()}, usual, PEOPLE, file)

    shown = {}
    for name, source, draw in (
        (f"results-{table}-curves.png", "log.csv", curves),
        (f"results-{table}-people.jpg", "pictures.npz", people),
    ):
        files, file = at_hand(source), folder / name
        if len(files) >= max(1, len(rows_shown(file))):
            draw(files, file)
        if there and file.is_file():
            shown[name] = rows_shown(file)
    return shown


def _painted(trials: Trials, row: str, file: Path) -> NDArray[np.uint8]:
    """The pictures of a trial, with the person's own pixels where it does not repaint."""
    painted = kept_pictures(file)
    people = held_out_pictures(trials.folder, trials.budget.held_out, trials.config(ROWS[row]))
    return np.where(people.mask[..., None] > 0, painted, people.person)  # rows may differ in what they repaint


def chosen_rows(only: Sequence[str]) -> list[Row]:
    """Rows and whole tables by name, in the order of training; all without a name."""
    unknown = [name for name in only if name not in ROWS and name not in TABLES]
    if unknown:
        raise UserError(f"no row or table {unknown[0]!r}: choose among {', '.join((*TABLES, *ROWS))}")
    wanted = {row for name in only for row in (TABLES[name].rows if name in TABLES else (name,))} or set(ROWS)
    return [row for row in ROWS.values() if row.name in wanted]


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
    parser.add_argument("--clip", type=Path, help="CLIP ViT-B/16's folder, for A+B+C+D; default: a tower trained here")
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
    rows, seeds = chosen_rows(arguments.only), _seeds(arguments.seeds)
    name = arguments.budget if arguments.steps is None else f"{arguments.budget}-{arguments.steps}"
    trials = Trials(
        folder=arguments.folder or Path("runs/reproduce") / name,
        budget=budget,
        taught=shipped_networks(preset(budget.teacher)),
        backbones=find_backbones(arguments.lpips_weights, arguments.inception_weights),
        tower=arguments.clip,
        bf16=arguments.bf16,
        recorded=read_recorded(arguments.page.with_suffix(".json")),
    )
    _say_what_is_left_out(trials, arguments.page.with_suffix(".json"))
    if arguments.list:
        missing = [f"{row.name} {seed}" for seed in seeds for row in rows if not trials.is_done(row, seed)]
        print("\n".join(missing) or "nothing is missing")
    elif arguments.page_only:
        write_page(trials, arguments.page, COMMAND)
    else:
        steps = "" if arguments.steps is None else f" --steps {arguments.steps}"
        reproduce(trials, rows, seeds, arguments.page, f"{COMMAND} --budget {arguments.budget}{steps}")


def _say_what_is_left_out(trials: Trials, file: Path) -> None:
    kept = trials.results()
    lost = sum(seed not in kept.get(row, {}) for row, seeds in trials.recorded.items() for seed in seeds)
    if lost:
        print(f"{lost} trials in {file} are of another budget, arithmetic, row or other shipped weights: left out")


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
