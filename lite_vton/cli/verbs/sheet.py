"""`lite-vton sheet`: everybody of a folder in every garment of another, on one picture."""

from __future__ import annotations

import typer

from lite_vton.cli.next_steps import say_your_own_photos
from lite_vton.cli.options.backends import Backend, Precision
from lite_vton.cli.options.models import BundlePath
from lite_vton.cli.options.output import Overwrite, Sheet
from lite_vton.cli.options.photos import Garments, Persons, SheetCategory
from lite_vton.cli.options.sampling import Sampler, Seed, Steps
from lite_vton.cli.outputs import claim_output, claim_picture
from lite_vton.cli.screen import Watch
from lite_vton.messages.commands import command
from lite_vton.workflows.extras import require

__all__ = ["sheet"]


def sheet(
    path: BundlePath,
    persons: Persons,
    garments: Garments,
    output: Sheet,
    category: SheetCategory = "",
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
