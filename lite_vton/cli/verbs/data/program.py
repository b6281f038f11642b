"""`lite-vton data`: datasets."""

from __future__ import annotations

import os

import typer

from lite_vton.cli.help_text import GroupedCommand, help_unless_a_verb_follows
from lite_vton.cli.next_steps import training_command
from lite_vton.cli.options.datasets import DrawingSeed, DrawnPairs, Height, TestShare, Width, Workers
from lite_vton.cli.options.output import DatasetFolder, Overwrite
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


@app.command("synthesize", cls=GroupedCommand)
def synthesize(
    output: DatasetFolder,
    pairs: DrawnPairs = 100,
    seed: DrawingSeed = 0,
    height: Height = 256,
    width: Width = 192,
    test_share: TestShare = 0.1,
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


app.command("ccp", cls=GroupedCommand)(ccp)
app.command("garments", cls=GroupedCommand)(garments)
