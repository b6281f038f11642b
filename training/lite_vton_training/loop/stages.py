"""The stages of a recipe that runs for hours: their progress bars, and the minutes each took in all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lite_vton.atomic import write_text
from lite_vton.errors import UserError
from lite_vton_training.loop.fit import LoopConfig, OnStep
from lite_vton_training.loop.json_object import read_object

__all__ = ["Clock", "progress_bars", "stage"]


@dataclass(frozen=True)
class Clock:
    """What each stage took in all, runs that were stopped included; kept in `file` beside their checkpoints."""

    file: Path

    def minutes(self) -> dict[str, float]:
        """Stage to minutes; `UserError` where the file holds something else."""
        return {name: round(value, 1) for name, value in self._sums().items()}

    def add(self, stage: str, minutes: float) -> None:
        """Count these too."""
        sums = self._sums()
        sums[stage] = sums.get(stage, 0.0) + minutes
        write_text(self.file, json.dumps(sums, indent=2) + "\n")

    def _sums(self) -> dict[str, float]:
        if not self.file.is_file():
            return {}
        try:
            return {name: float(str(value)) for name, value in read_object(self.file).items()}
        except ValueError as error:  # a UserError is one too
            raise UserError(f"{error}: delete {self.file}, and times are counted anew") from error


def progress_bars() -> Progress:
    """Bars with a description, a count, and the time passed and left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


@contextmanager
def stage(name: str, loop: LoopConfig, clock: Clock) -> Iterator[OnStep]:
    """A bar over the steps of `loop` that shows its terms; what passes inside is added to `clock`."""
    began = time.monotonic()
    with progress_bars() as progress:
        task = progress.add_task(name, total=loop.steps)

        def on_step(step: int, terms: dict[str, float]) -> None:
            shown = " ".join(f"{term} {value:.4f}" for term, value in terms.items())
            progress.update(task, completed=step + 1, description=f"{name} {shown}")

        try:
            yield on_step
        finally:
            clock.add(name, (time.monotonic() - began) / 60)
