"""`lite-vton import`: other people's weights as a run of ours, or their ONNX files as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.next_steps import export_command
from lite_vton.cli.options.importing import ImageTower, ImportedAs, Layout, OtherAutoencoder, SelfAttention
from lite_vton.cli.options.output import ImportFolder
from lite_vton.cli.outputs import claim_output
from lite_vton.cli.screen import Watch
from lite_vton.libraries.hub_cache import checkpoint_at
from lite_vton.messages.commands import command
from lite_vton.workflows.extras import require
from lite_vton.workflows.import_model import import_bundle, import_run, is_onnx, refuse_import, training_command

__all__ = ["import_"]


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="A diffusers folder or cache, a .safetensors, .ckpt or .pth, or Optimum's ONNX."
        ),
    ],
    model: ImportedAs,
    output: ImportFolder,
    layout: Layout = None,
    autoencoder: OtherAutoencoder = None,
    attention: SelfAttention = None,
    image_encoder: ImageTower = None,
) -> None:
    """Turn somebody's weights into a run to train, distill or export, or their ONNX files into a bundle.

    Answers stay the source's; no code in a checkpoint is run.
    """
    watch = Watch()
    claim_output(output)
    refuse_import(source, model, output, layout)
    require("import")
    source = checkpoint_at(source)
    if is_onnx(source):
        require("import of ONNX files")
        weights_only = {"--layout": layout, "--autoencoder": autoencoder, "--attention": attention}
        import_bundle(source, model, output, {**weights_only, "--image-encoder": image_encoder})
        watch.wrote([output], command("verify", output))
        return
    written, notes = import_run(
        source,
        model,
        output,
        layout=layout,
        autoencoder=autoencoder,
        attention=attention,
        image_encoder=image_encoder,
    )
    for note in notes:
        print(note)
    print(f"to train it on your pairs: {training_command(model, output)}")
    watch.wrote(written, export_command(output))
