"""Attention a head at a time answers what diffusers' own does."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

from lite_vton.errors import UserError
from lite_vton.model.components import components_of
from lite_vton.model.networks import random_networks
from lite_vton.presets.table import preset
from lite_vton_export.coreml.attention import SplitEinsumProcessor, attention_variant


@pytest.mark.parametrize(
    ("positions", "tokens"), [(48, None), (700, None), (48, 7)], ids=["self", "in pieces", "cross"]
)
def test_a_layer_answers_the_same(positions: int, tokens: int | None) -> None:
    torch.manual_seed(0)
    layer = Attention(24, cross_attention_dim=None if tokens is None else 16, heads=3, dim_head=8, bias=True)
    sample = torch.randn(1, positions, 24)
    asked = None if tokens is None else torch.randn(1, tokens, 16)
    with torch.no_grad():
        expected = AttnProcessor2_0()(layer, sample, asked)
        torch.testing.assert_close(SplitEinsumProcessor()(layer, sample, asked), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["tiny", "tiny-clip"])
def test_a_whole_unet_answers_the_same_and_gets_its_own_processors_back(name: str) -> None:
    networks = random_networks(preset(name))
    spec = components_of(networks.config)["unet"]
    module = spec.wrap(networks).eval()
    torch.manual_seed(0)
    shapes = {tensor.name: tensor.shape for tensor in spec.inputs(networks.config)}
    given = [torch.tensor([321]) if key == "timestep" else torch.randn(shape) for key, shape in shapes.items()]
    before = dict(networks.unet.attn_processors)
    with torch.no_grad():
        expected = module(*given)
        with attention_variant(module, "split-einsum"):
            processors = networks.unet.attn_processors.values()
            assert all(isinstance(processor, SplitEinsumProcessor) for processor in processors)
            found = module(*given)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert networks.unet.attn_processors == before
    with attention_variant(module, "original"):
        assert networks.unet.attn_processors == before


def test_attention_it_is_not_for_is_refused() -> None:
    layer = Attention(24, heads=3, dim_head=8, norm_num_groups=4)
    with pytest.raises(UserError, match="choose original"):
        SplitEinsumProcessor()(layer, torch.zeros(1, 5, 24))
