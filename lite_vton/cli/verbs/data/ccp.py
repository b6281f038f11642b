"""`lite-vton data ccp`: Clothing Co-Parsing in VITON-HD's layout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.options.datasets import Height, LeaveOut, TestEvery, TestOffset, Width, Workers
from lite_vton.cli.options.output import DatasetFolder, Overwrite
from lite_vton.workflows.extras import require

__all__ = ["ccp"]


def ccp(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder of Clothing Co-Parsing as published.")],
    output: DatasetFolder,
    height: Height = 512,
    width: Width = 384,
    test_every: TestEvery = 8,
    test_offset: TestOffset = 1,
    leave_out: LeaveOut = None,
    workers: Workers = os.cpu_count() or 1,
    overwrite: Overwrite = False,
) -> None:
    """Turn Clothing Co-Parsing's street photos into pairs.

    The garment is taken off its wearer and laid flat. A conversion that was interrupted goes on when it is started
    again. report.json says what was dropped and why, contact-sheet.jpg shows what the pairs look like.
    """
    from lite_vton.cli.verbs.data.conversion import convert_with_report
    from lite_vton.data.ccp.conversion import convert_ccp, numbers_left_out
    from lite_vton.data.ccp.reading import open_source

    require("data ccp")
    left_out = numbers_left_out(leave_out or ())
    photos = len(open_source(source).names)
    convert_with_report(
        output,
        photos,
        lambda progress: convert_ccp(
            source,
            output,
            height=height,
            width=width,
            test_every=test_every,
            test_offset=test_offset,
            left_out=left_out,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        ),
        overwrite,
    )
