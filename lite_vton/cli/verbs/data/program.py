"""`lite-vton data`: datasets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.next_steps import training_command
from lite_vton.cli.options import LARGEST_SEED, Height, Overwrite, Width, Workers, finite, help_unless_a_verb_follows
from lite_vton.cli.outputs import claim_output
from lite_vton.cli.screen import Watch
from lite_vton.cli.verbs.data.ccp import ccp
from lite_vton.cli.verbs.data.garments import garments
from lite_vton.workflows.extras import require
from lite_vton.workflows.progress import progress_bar

__all__ = ["app", "synthesize"]

app = typer.Typer(help="Make datasets.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _data(context: typer.Context) -> None:
    help_unless_a_verb_follows(context)


@app.command("synthesize")
def synthesize(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make, in VITON-HD's layout.")],
    pairs: Annotated[int, typer.Option("--pairs", min=1, max=10**7, help="How many people and garments.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Same seed, same drawings.")] = 0,
    height: Height = 256,
    width: Width = 192,
    test_share: Annotated[
        float,
        typer.Option("--test-share", min=0.0, max=1.0, callback=finite, help="The part that becomes the test split."),
    ] = 0.1,
    workers: Workers = os.cpu_count() or 1,
    overwrite: Overwrite = False,
) -> None:
    """Draw people wearing garments: a dataset."""
    from lite_vton.data.drawn.dataset import synthesize as draw

    require("data synthesize")
    watch = Watch()
    claim_output(output)
    with progress_bar("drawing pairs", pairs) as update:
        draw(
            output,
            pairs,
            seed,
            height=height,
            width=width,
            test_share=test_share,
            workers=min(workers, pairs),
            overwrite=overwrite,
            progress=lambda done: update(done, ""),
        )
    watch.wrote([output], training_command(output))


app.command("ccp")(ccp)
app.command("garments")(garments)
