"""`lite-vton models`: the presets."""

from __future__ import annotations

from typing import Annotated

import typer

from lite_vton.cli.options import Json

__all__ = ["models"]


def models(
    name: Annotated[str | None, typer.Option("--preset", metavar="PRESET", help="Only this one, in full.")] = None,
    parameters: Annotated[
        bool, typer.Option("--parameters", help="Count them too; needs torch, takes some seconds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the models and which come with weights."""
    from dataclasses import asdict

    from lite_vton.cli.parameters import count_parameters
    from lite_vton.cli.screen import print_json, print_table
    from lite_vton.cli.weights import weights_are_shipped
    from lite_vton.presets import PRESETS, preset

    chosen = list(PRESETS.values()) if name is None else [preset(name)]
    counts = {config.name: count_parameters(config) for config in chosen} if parameters or name is not None else {}
    if as_json:
        print_json(
            [asdict(c) | {"weights_shipped": weights_are_shipped(c), "parameters": counts.get(c.name)} for c in chosen]
        )
        return
    rows = [
        (
            config.name,
            f"{config.width}x{config.height}",
            "x".join(str(side) for side in config.latent_shape[1:]),
            "shipped" if weights_are_shipped(config) else "none",
            f"{config.default_sampler}, {config.default_steps} steps",
            config.description,
        )
        for config in chosen
    ]
    print_table(("preset", "picture", "latent", "weights", "sampling", ""), rows)
    for model, found in counts.items():
        if found is None:
            print(f"{model}: counting parameters needs torch: pip install 'lite-vton[export]'")
        else:
            print(f"{model}: " + ", ".join(f"{part} {count / 1e6:.2f} M" for part, count in found.items()))
    print(f"next: lite-vton export {chosen[0].name} -o {chosen[0].name}.bundle")
