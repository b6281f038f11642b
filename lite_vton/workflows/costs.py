"""What a preset's networks cost, as a table for people and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lite_vton.presets.config import ModelConfig
from lite_vton.presets.paper import PAPER

if TYPE_CHECKING:
    from lite_vton.model.cost import Cost

__all__ = ["HEADINGS", "cost_figures", "cost_rows", "count_costs"]

HEADINGS = ("", "parameters", "GFLOPs", "activations fp32", "fp16", "weights fp32", "fp16")
_BYTES = {"fp32": 4, "fp16": 2}


def count_costs(config: ModelConfig) -> dict[str, Cost] | None:
    """By component, counted on torch's meta device, which holds no memory; None without torch."""
    try:
        from lite_vton.model.cost import component_costs
    except ModuleNotFoundError:
        return None
    return component_costs(config)


def cost_figures(config: ModelConfig, costs: dict[str, Cost]) -> dict[str, Any]:
    """The counts and the paper's figures as plain data; FLOPs are of one call, bytes of each precision."""
    paper = PAPER.get(config.name)
    return {
        "components": {
            name: {
                "parameters": cost.parameters,
                "flops": cost.flops,
                "activation_bytes": {precision: cost.activations * size for precision, size in _BYTES.items()},
                "weight_bytes": {precision: cost.parameters * size for precision, size in _BYTES.items()},
            }
            for name, cost in costs.items()
        },
        "parameters": sum(cost.parameters for cost in costs.values()),
        "paper": None if paper is None else {"parameters": paper.parameters, "unet_flops": paper.flops},
    }


def cost_rows(config: ModelConfig, costs: dict[str, Cost]) -> list[tuple[str, ...]]:
    """A row a component under `HEADINGS`, their sum, and the paper's figures where it has some."""
    rows = [
        (
            name,
            _millions(cost.parameters),
            f"{cost.flops / 1e9:.2f}",
            *(f"{cost.activations * size / 1e6:.1f} MB" for size in _BYTES.values()),
            *(f"{cost.parameters * size / 1e6:.1f} MB" for size in _BYTES.values()),
        )
        for name, cost in costs.items()
    ]
    together = sum(cost.parameters for cost in costs.values())
    most = max(cost.activations for cost in costs.values())
    rows.append(
        (
            "all of them",
            _millions(together),
            "",
            *(f"{most * size / 1e6:.1f} MB" for size in _BYTES.values()),
            *(f"{together * size / 1e6:.1f} MB" for size in _BYTES.values()),
        )
    )
    paper = PAPER.get(config.name)
    if paper is not None:
        flops = "" if paper.flops is None else f"{paper.flops / 1e9:.2f} (unet)"
        rows.append(("the paper", f"{paper.parameters / 1e6:.0f} M", flops, "", "", "", ""))
    return rows


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"
