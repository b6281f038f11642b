"""`lite-vton models`: the presets."""

from __future__ import annotations

from lite_vton.cli.options.models import Autoencoder, OnePreset, Parameters
from lite_vton.cli.options.output import Json
from lite_vton.cli.screen import print_json, print_table
from lite_vton.errors import UserError
from lite_vton.messages.commands import command
from lite_vton.presets.paper import PAPER, SOURCE
from lite_vton.presets.table import PRESETS, preset
from lite_vton.workflows.costs import HEADINGS, cost_figures, cost_rows, count_costs
from lite_vton.workflows.weights import config_of, weights_are_shipped

__all__ = ["models"]


def models(
    name: OnePreset = None,
    parameters: Parameters = False,
    autoencoder: Autoencoder = None,
    as_json: Json = False,
) -> None:
    """List the models and which come with weights; of one, what each of its networks costs."""
    from lite_vton.bundle import written_model

    if name is None and autoencoder is not None:
        raise UserError("--autoencoder is of one preset: name it with --preset")
    chosen = list(PRESETS.values()) if name is None else [config_of(preset(name).name, autoencoder)]
    wanted = chosen if parameters or name is not None else []
    counted = {config.name: costs for config in wanted if (costs := count_costs(config)) is not None}
    if as_json:
        print_json(
            [
                written_model(config)
                | {"weights_shipped": weights_are_shipped(config)}
                | (cost_figures(config, counted[config.name]) if config.name in counted else {})
                for config in chosen
            ]
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
    if wanted and not counted:
        print("counting parameters needs torch: pip install 'lite-vton[export]'")
    elif name is not None:
        print_table(HEADINGS, cost_rows(chosen[0], counted[name]))
        print("one call each; GFLOPs: 2 x multiply-accumulate; activations: most alive at once, attention matrices too")
        if name in PAPER:
            print(f"the paper: {SOURCE}")
    else:
        for model, costs in counted.items():
            parts = ", ".join(f"{part} {cost.parameters / 1e6:.2f} M" for part, cost in costs.items())
            print(f"{model}: {sum(cost.parameters for cost in costs.values()) / 1e6:.2f} M ({parts})")
    print(f"next: {command('export', chosen[0].name, '-o', f'{chosen[0].name}.bundle')}")
