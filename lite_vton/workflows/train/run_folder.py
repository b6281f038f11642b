"""The folder of a training run: refused where in use, gone on with after Ctrl-C, filled with weights at its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.atomic import claim_inside, is_vacant, write_text
from lite_vton.errors import StoppedError, UserError
from lite_vton.workflows.progress import progress_bar
from lite_vton.workflows.train.processes import first_process
from lite_vton.workflows.weights import run_files

if TYPE_CHECKING:
    from lite_vton.model.networks import Networks
    from lite_vton_training.distillation.starts import FirstAnswer
    from lite_vton_training.loop.fit import OnStep

__all__ = ["START_FILE", "record_start", "refuse_folder", "resumable", "save_run", "step_bar"]

START_FILE = "start.json"
"""What of a distilled run says how far its student's first answer was from its teacher's."""


def refuse_folder(output: Path, resume: bool) -> None:
    """A `UserError` for a folder that another process trains in, and for one in use that is not to be gone on with."""
    if not first_process():
        return  # the first one may have begun to write by now
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file: choose a folder for the run")
    with claim_inside(output):
        if not resume and not is_vacant(output):
            raise UserError(f"{output} exists: go on with it with --resume, or choose another folder")
        if any(file.exists() for file in run_files(output)) and not (output / "unet").is_dir():
            raise UserError(
                f"{output} holds finished weights and no training to go on with: "
                f"choose another folder (and `--start {output}`, to train on from these)"
            )


@contextmanager
def resumable(output: Path) -> Iterator[None]:
    """Nobody else trains in `output` inside, and Ctrl-C becomes a `StoppedError` that says how to go on."""
    try:
        with claim_inside(output) if first_process() else nullcontext():
            yield
    except KeyboardInterrupt as error:
        raise StoppedError(f"stopped; go on with the same command and --resume (the run is in {output})") from error


@contextmanager
def step_bar(name: str, steps: int) -> Iterator[OnStep]:
    """A bar over so many steps of training that shows the terms of the loss."""
    with progress_bar(name, steps) as update:

        def on_step(step: int, terms: dict[str, float]) -> None:
            update(step + 1, " ".join(f"{term} {value:.4f}" for term, value in terms.items()))

        yield on_step


def record_start(first: FirstAnswer, output: Path) -> None:
    """Write `START_FILE` into the run's folder: what `lite_vton_training.distillation.starts.FirstAnswer` says, and
    whether it is equal.
    """
    content = {**asdict(first), "is_equal": first.is_equal}
    write_text(output / START_FILE, json.dumps(content, indent=2) + "\n")


def save_run(networks: Networks, output: Path) -> tuple[Path, ...]:
    """Write the weights, by the first of several processes, and part from the others; the files written."""
    from accelerate import Accelerator

    from lite_vton.model.networks import save_networks, weight_files

    files = run_files(output)
    if first_process():
        save_networks(networks, *files)
    accelerator = Accelerator()
    accelerator.wait_for_everyone()  # the others too say at their end how large the files are
    accelerator.end_training()  # processes that are still connected may wait for each other for ever
    return tuple(weight_files(networks, *files))
