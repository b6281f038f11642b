"""Training curves of the rows of a table, and the same people dressed by each of them.

Each file says in its metadata which rows it shows, so that a later run, which may have the logs and pictures of fewer
rows at hand, does not draw over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lite_vton.atomic import whole_file
from lite_vton.errors import UserError
from lite_vton.photo.contact_sheet import Column, contact_sheet
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.loop.log import read_log

__all__ = ["draw_curves", "draw_people", "rows_shown"]

SMOOTHED = 25
"""Steps a point of a curve is the mean of."""

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def rows_shown(file: Path) -> tuple[str, ...]:
    """The rows in a picture of this module; none where there is no such file or it does not say."""
    if not file.is_file():
        return ()
    with Image.open(file) as picture:
        text = picture.info.get("Description") or picture.info.get("comment") or ""
    return tuple((text if isinstance(text, str) else text.decode()).split())


def draw_curves(logs: Mapping[str, Sequence[Path]], file: Path) -> None:
    """By row the `log.csv` of its seeds: left the loss on noise, right the CKA to the teacher, means over the seeds.

    `UserError` without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("drawing curves takes matplotlib: pip install 'lite-vton[chart]'") from error
    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for number, (row, files) in enumerate(logs.items()):
        for axes, column in ((left, "noise"), (right, "cka")):
            curves = [curve for path in files if (curve := _curve(path, column)) is not None]
            if curves:
                steps = curves[0][0]
                values = np.mean([found for at, found in curves if len(at) == len(steps)], axis=0)
                axes.plot(steps, values, color=f"C{number % 10}", linestyle="-" if number < 10 else "--", label=row)
    left.set_yscale("log")
    left.set_ylabel(f"loss on noise, mean of {SMOOTHED} steps")
    right.set_ylabel("CKA to the teacher, mean of the taps")
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    left.legend(fontsize=8)
    with whole_file(file) as draft:
        figure.savefig(draft, format="png", dpi=100, metadata={"Description": " ".join(logs)})


def draw_people(painted: dict[str, NDArray[np.uint8]], held_out: PicturePairs, people: int, file: Path) -> None:
    """The first `people`: as photographed, with the warp pasted in, and as each row finished them (N, H, W, 3)."""
    rows = {row: pictures[:people] for row, pictures in painted.items()}
    shown = {"person": held_out.person[:people], "pasted warp": held_out.masked_person[:people], **rows}
    sheet = contact_sheet([Column(heading, list(pictures)) for heading, pictures in shown.items()])
    with whole_file(file) as draft:
        Image.fromarray(sheet).save(draft, format="JPEG", quality=88, comment=" ".join(painted))


def _curve(log: Path, column: str) -> Curve | None:
    """Steps and values of the columns whose names begin with `column`, their mean."""
    if not log.is_file():
        return None
    lines = read_log(log)
    names = [name for name in (lines[0] if lines else {}) if name == column or name.startswith(f"{column}.")]
    kept = [[line.get("step"), *(line[name] for name in names)] for line in lines]
    whole = np.array([row for row in kept if len(row) > 1 and None not in row], np.float64)
    if not whole.size:
        return None
    steps, values = whole[:, 0], whole[:, 1:].mean(axis=1)
    if column == "noise" and len(values) >= 2 * SMOOTHED:
        end = len(values) // SMOOTHED * SMOOTHED
        steps, values = (part[:end].reshape(-1, SMOOTHED).mean(axis=1) for part in (steps, values))
    return steps, values
