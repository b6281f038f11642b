"""`lite-vton sheet`: everybody of a folder in every garment of another, on one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.next_steps import say_your_own_photos
from lite_vton.cli.options import Backend, BundlePath, Overwrite, Precision, Sampler, Seed, Steps
from lite_vton.cli.outputs import claim_output, claim_picture
from lite_vton.cli.screen import Watch
from lite_vton.messages.commands import command
from lite_vton.workflows.extras import require
from lite_vton.workflows.names import completing

__all__ = ["sheet"]


def sheet(
    path: BundlePath,
    persons: Annotated[Path, typer.Option("--persons", help="Folder of photos of people.")],
    garments: Annotated[Path, typer.Option("--garments", help="Folder of photos of garments.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The sheet, .png, .jpg or .webp; the report lies beside it.")
    ],
    category: Annotated[
        str,
        typer.Option(
            "--category",
            autocompletion=completing("category"),
            help="Category of all garments; default: dress where a file is named so, else upper.",
        ),
    ] = "",
    backend: Backend = "onnxruntime",
    precision: Precision = None,
    steps: Steps = None,
    sampler: Sampler = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Dress everybody of a folder in every garment of another.

    What cannot be dressed is refused in words, in its place on the sheet and in the report.
    """
    from lite_vton.workflows.dress.run import How
    from lite_vton.workflows.dress.sheet import dress_all

    require("sheet")
    watch = Watch()
    claim_picture(output)
    claim_output(output.with_suffix(".json"))
    tried = dress_all(
        path,
        persons,
        garments,
        output,
        How(backend=backend, precision=precision, steps=steps, sampler=sampler, seed=seed),
        category=category or None,
        overwrite=overwrite,
    )
    print(f"{tried.pictures} of {tried.pictures + len(tried.refusals)} dressed")
    for refusal in tried.refusals:
        print(f"  {refusal.person} in {refusal.garment}: {refusal.reason}")
    print(f"preparing took {tried.preparing_s:.2f} s at the median, {tried.slowest_s:.2f} s at most")
    print(f"pixels outside the mask changed in {tried.damaged} of them")
    say_your_own_photos(path)
    watch.wrote(tried.written, command("inspect", path))
    raise typer.Exit(1 if tried.damaged else 0)
