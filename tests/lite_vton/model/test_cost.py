"""The full-size models are the paper's: their networks, counted, against what it prints."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lite_vton.model.components import components_of
from lite_vton.model.cost import Cost, component_costs, module_cost
from lite_vton.model.networks import random_networks
from lite_vton.presets.paper import PAPER
from lite_vton.presets.table import preset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def costs() -> dict[str, dict[str, Cost]]:
    return {name: component_costs(preset(name)) for name in PAPER}


@pytest.mark.parametrize("name", PAPER)
def test_all_networks_together_have_the_papers_parameters_to_a_percent(
    name: str, costs: dict[str, dict[str, Cost]]
) -> None:
    total = sum(cost.parameters for cost in costs[name].values())
    assert total == pytest.approx(PAPER[name].parameters, rel=0.01)


def test_a_step_of_the_teacher_costs_what_the_paper_says_to_two_percent(costs: dict[str, dict[str, Cost]]) -> None:
    assert costs["teacher"]["unet"].flops == pytest.approx(PAPER["teacher"].flops, rel=0.02)


def test_a_step_of_the_student_costs_no_more_than_the_paper_says(costs: dict[str, dict[str, Cost]]) -> None:
    assert costs["litemp-vton"]["unet"].flops <= (PAPER["litemp-vton"].flops or 0)


def test_networks_are_those_of_the_counts_in_the_method(costs: dict[str, dict[str, Cost]]) -> None:
    millions = {name: {part: round(c.parameters / 1e6, 2) for part, c in of.items()} for name, of in costs.items()}
    autoencoder = {"vae_encoder": 34.16, "vae_decoder": 49.49}
    assert millions == {
        "mp-vton": autoencoder | {"image_encoder": 85.80, "unet": 859.55},
        "teacher": autoencoder | {"unet": 815.56},
        "litemp-vton": autoencoder | {"unet": 202.05},
    }


@pytest.mark.parametrize("name", ["tiny", "tiny-clip"])
def test_every_weight_is_read_by_exactly_one_component(name: str) -> None:
    networks = random_networks(preset(name))
    modules = [m for m in (networks.autoencoder, networks.unet, networks.image_encoder) if m is not None]
    counted = sum(cost.parameters for cost in component_costs(networks.config).values())
    assert counted == sum(p.numel() for module in modules for p in module.parameters())


def test_products_are_counted_twice_a_multiplication_and_the_most_alive_at_once() -> None:
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(10, 1000, bias=False), nn.ReLU(), nn.Linear(1000, 5, bias=False))
        cost = module_cost(module, [torch.zeros(1, 10)])
    assert cost == Cost(parameters=15_000, flops=2 * 15_000, activations=10 + 1000 + 1000)


def test_attention_is_counted() -> None:
    config = preset("tiny")
    (_, h, w), width = config.latent_shape[1:], config.unet.channels[-1]
    tokens = (h // 2) * (w // 2)
    with torch.device("meta"):
        query = torch.zeros(1, 2, tokens, width // 2)

        class Attention(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return nn.functional.scaled_dot_product_attention(x, x, x)

        cost = module_cost(Attention(), [query])
    assert cost.flops == 2 * 2 * tokens * tokens * width
    assert cost.activations >= 2 * tokens * tokens


def test_components_stand_in_the_order_they_run() -> None:
    assert tuple(components_of(preset("tiny-clip"))) == ("image_encoder", "vae_encoder", "unet", "vae_decoder")
    assert tuple(component_costs(preset("tiny"))) == ("vae_encoder", "unet", "vae_decoder")
