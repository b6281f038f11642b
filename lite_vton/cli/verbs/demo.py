"""`lite-vton demo`: the whole chain, to look at."""

from __future__ import annotations

from lite_vton.cli.next_steps import say_your_own_photos
from lite_vton.cli.options.datasets import DemoPairs
from lite_vton.cli.options.models import DemoModel
from lite_vton.cli.options.output import DemoFolder, Overwrite
from lite_vton.cli.outputs import claim_filled_folder
from lite_vton.cli.screen import Watch
from lite_vton.messages.commands import command
from lite_vton.workflows.extras import require
from lite_vton.workflows.weights import NOTES

__all__ = ["demo"]


def demo(
    output: DemoFolder,
    pairs: DemoPairs = 4,
    model: DemoModel = "demo",
    overwrite: Overwrite = False,
) -> None:
    """Show the whole chain on drawn people.

    Exports a trained model, verifies it, runs it on each backend, benchmarks it, and puts it all on one sheet.
    """
    from lite_vton.workflows.demo import show_chain

    require("demo")
    watch = Watch()
    claim_filled_folder(output)
    chain = show_chain(model, output, pairs, overwrite=overwrite)
    print(chain.report)
    print(f"same picture as torch on every backend within {chain.lowest_psnr_db:.1f} dB PSNR")
    for line in chain.left_out:
        print(f"left out {line}")
    if chain.origin in NOTES:
        print(NOTES[chain.origin])
    say_your_own_photos(chain.bundle)
    watch.wrote(chain.written, command("inspect", chain.bundle))
