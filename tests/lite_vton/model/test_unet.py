"""The activation that a preset names is the one that its U-Net computes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from lite_vton.model.unet import build_unet
from lite_vton.presets.table import preset


def activated(name: str) -> UNet2DConditionModel:
    tiny = preset("tiny")
    unet: UNet2DConditionModel = build_unet(replace(tiny, unet=replace(tiny.unet, activation=name)))
    return unet


@pytest.mark.parametrize(("name", "kind"), [("silu", nn.SiLU), ("relu", nn.ReLU)])
def test_the_activation_is_the_presets(name: str, kind: type[nn.Module]) -> None:
    unet = activated(name)
    found = {type(module) for module in unet.modules() if isinstance(module, nn.SiLU | nn.ReLU)}
    # The timestep's embedding is a network of its own; diffusers gives it the same.
    assert found == {kind}


def test_the_activation_is_computed() -> None:
    made = []
    for name in ("silu", "relu"):
        torch.manual_seed(0)
        made.append(activated(name).eval())
    sample, timestep = torch.randn(1, preset("tiny").unet_in_channels, 16, 12), torch.tensor([10])
    with torch.no_grad():
        silu, relu = (unet(sample, timestep, None, return_dict=False)[0] for unet in made)
    assert not torch.allclose(silu, relu, atol=1e-3)
