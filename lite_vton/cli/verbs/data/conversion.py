"""What the verbs that convert a dataset have in common: progress, what was dropped, and a sheet to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.cli.next_steps import training_command
from lite_vton.cli.screen import Watch
from lite_vton.errors import StoppedError
from lite_vton.photo.contact_sheet import Column, contact_sheet
from lite_vton.workflows.progress import progress_bar

if TYPE_CHECKING:
    from lite_vton.data.conversion.outcome import Outcome
    from lite_vton.data.conversion.run import Progress

__all__ = ["convert_with_report", "goes_on"]


def convert_with_report(
    output: Path, photos: int, convert: Callable[[Progress], Sequence[Outcome]], overwrite: bool
) -> None:
    """Run `convert` into the folder `output`, `photos` in all; print a line for each reason, and write the sheet."""
    from lite_vton.data.conversion.report import dropped_by_reason

    watch, finished, then = Watch(), 0, goes_on(output, overwrite)

    def tell(done: int, dropped: int) -> None:
        nonlocal finished
        finished = done
        update(done, f"{dropped} dropped" if dropped else "")

    with progress_bar("converting photos", photos) as update:
        try:
            outcomes = convert(tell)
        except KeyboardInterrupt as interrupt:
            raise StoppedError(f"stopped after {finished} of {photos} photos; {then}") from interrupt
    dropped = dropped_by_reason(outcomes)
    print(f"{len(outcomes) - sum(dropped.values())} of {len(outcomes)} photos converted")
    for reason, count in dropped.items():
        print(f"  {count} dropped: {reason}")
    _write_sheet(output, outcomes)
    watch.wrote([output], training_command(output))


def goes_on(output: Path, overwrite: bool) -> str:
    """What to do after an interruption; to be asked before the conversion begins."""
    from lite_vton.data.dataset_folder import is_replaced

    if is_replaced(output, overwrite):
        return f"{output} is as it was, and the same command begins anew"
    return f"the same command{' without --overwrite' if overwrite else ''} goes on there"


def _write_sheet(output: Path, outcomes: Sequence[Outcome]) -> None:
    from lite_vton.data.conversion.sheet import HEADINGS, sheet_rows
    from lite_vton.photo.files import save_photo

    rows = sheet_rows(output, outcomes)
    columns = [
        Column(heading, [_named(row.pictures[k], row.name) if k == 0 else row.pictures[k] for row in rows])
        for k, heading in enumerate(HEADINGS)
    ]
    save_photo(output / "contact-sheet.jpg", contact_sheet(columns))


def _named(picture: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """With the photo's name in its corner, so that it can be found in the report."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(picture)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=13)
    draw.rectangle((0, 0, font.getlength(name) + 6, 17), fill="white")
    draw.text((3, 1), name, fill="black", font=font)
    return np.array(image)
