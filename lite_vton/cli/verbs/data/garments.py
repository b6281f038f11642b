"""`lite-vton data garments`: photos of garments made the cloth side of a dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.options.datasets import Height, Width, Workers, Worn
from lite_vton.cli.options.output import DatasetFolder, Overwrite
from lite_vton.cli.screen import Watch
from lite_vton.errors import StoppedError
from lite_vton.workflows.extras import require
from lite_vton.workflows.progress import progress_bar

__all__ = ["garments"]


def garments(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder of garment photos, or of a folder a class.")],
    output: DatasetFolder,
    height: Height = 512,
    width: Width = 384,
    worn: Worn = False,
    workers: Workers = os.cpu_count() or 1,
    overwrite: Overwrite = False,
) -> None:
    """Cut garments out of their photos and find their landmarks.

    What cannot be trusted is dropped, and report.json says why. The same command goes on with an interrupted run.
    """
    from lite_vton.cli.verbs.data.conversion import goes_on
    from lite_vton.data.garments.convert import convert_garments
    from lite_vton.data.garments.files import garment_files

    if worn:
        require("data garments --worn")
    watch, then = Watch(), goes_on(output, overwrite)
    with progress_bar("cutting out", len(garment_files(source).files)) as update:
        try:
            report = convert_garments(
                source,
                output,
                height=height,
                width=width,
                worn=worn,
                workers=workers,
                overwrite=overwrite,
                progress=lambda done, dropped: update(done, f"{dropped} dropped" if dropped else ""),
            )
        except KeyboardInterrupt as error:
            raise StoppedError(f"stopped; {then}") from error
    print(f"{len(report.kept)} of {len(report.photos)} garments kept")
    for reason, count in report.dropped.items():
        print(f"  {count} dropped: {reason}")
    if report.unknown:
        print(f"taken for upper garments, since their folders are no known classes: {', '.join(report.unknown)}")
    if report.others:
        print(f"{report.others} files are no pictures by their names")
    print(f"look at {output / 'contact-sheet.jpg'}")
    watch.wrote([output])
