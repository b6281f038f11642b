"""`lite-vton eval`: how good the try-ons are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.options import Json, Sampler, Steps

__all__ = ["evaluate"]


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A bundle, a preset, or a run's folder.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder in VITON-HD's layout; default: newly drawn held-out pairs.")
    ] = None,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="How many to judge.")] = 64,
    steps: Steps = None,
    sampler: Sampler = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the noise.")] = 0,
    as_json: Json = False,
) -> None:
    """Score a model on test pairs.

    PSNR inside the mask, and SSIM: of the model, its teacher, the pasted warp, and the autoencoder alone.
    """
    from lite_vton.cli.judging import judge
    from lite_vton.cli.screen import Watch, print_json, print_table

    watch = Watch()
    judged = judge(model, data, pairs, steps=steps, sampler=sampler, seed=seed)
    if as_json:
        print_json([{"what": row.what, **asdict(row.scores), "ms_per_pair": row.ms_per_pair} for row in judged])
        return
    print_table(
        ("", "PSNR in mask", "SSIM", "ms a pair"),
        [
            (row.what, f"{row.scores.psnr_in_mask:.2f} dB", f"{row.scores.ssim:.4f}", f"{row.ms_per_pair:.0f}")
            for row in judged
        ],
    )
    print(f"{judged[0].scores.pairs} {'held-out drawn' if data is None else 'test'} pairs, the person's own garment")
    watch.wrote([], f"lite-vton export {model} -o bundle" if not Path(model, "manifest.json").is_file() else None)
