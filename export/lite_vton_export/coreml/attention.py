"""Attention as Apple's Neural Engine likes it: a head at a time, channels first, long pictures in pieces.

The arithmetic is diffusers' own, so the answer is the same; what differs is the shape things have on the way, as
https://machinelearning.apple.com/research/neural-engine-transformers and apple/ml-stable-diffusion (SPLIT_EINSUM and
SPLIT_EINSUM_V2) describe it: (N, C, 1, T) instead of (N, T, C), projections as 1×1 convolutions, each head's products
small enough for the cache, and no transpose of what is large.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import nn
from torch.nn import functional

from lite_vton.errors import UserError

__all__ = ["SplitEinsumProcessor", "attention_variant"]

_QUERIES_AT_ONCE = 512
"""Positions whose attention is computed together: 512 queries × 3072 keys in half are 3 MB."""


@contextmanager
def attention_variant(module: nn.Module, variant: str) -> Iterator[None]:
    """Within the block every U-Net inside `module` computes its attention as `variant` says.

    "original" leaves it as it is; "split-einsum" is `SplitEinsumProcessor`. Processors are put back afterwards.
    """
    networks = [part for part in module.modules() if isinstance(part, UNet2DConditionModel)]
    before = [dict(network.attn_processors) for network in networks]
    try:
        if variant == "split-einsum":
            for network in networks:
                network.set_attn_processor(SplitEinsumProcessor())
        yield
    finally:
        for network, processors in zip(networks, before, strict=True):
            network.set_attn_processor(processors)


class SplitEinsumProcessor:
    """A diffusers attention processor: (N, T, C) to (N, T, C), as `AttnProcessor2_0` answers.

    `UserError` for attention with masks, with norms inside or over pictures, which a U-Net's transformer blocks lack.
    """

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,  # noqa: ARG002  # diffusers passes it to every processor
        **_: Any,
    ) -> torch.Tensor:
        """`hidden_states` (N, T, C) asks `encoder_hidden_states` (N, S, D), or itself."""
        inside = (attn.spatial_norm, attn.group_norm, attn.norm_cross, attn.norm_q, attn.norm_k)
        if hidden_states.ndim != 3 or attention_mask is not None or any(part for part in inside):
            raise UserError("this attention has masks or norms inside, split-einsum is not for it: choose original")
        sample = _channels_first(hidden_states)
        context = sample if encoder_hidden_states is None else _channels_first(encoder_hidden_states)
        queries = _projected(attn.to_q, sample).chunk(attn.heads, dim=1)
        keys = _projected(attn.to_k, context).transpose(1, 3).chunk(attn.heads, dim=3)
        values = _projected(attn.to_v, context).chunk(attn.heads, dim=1)
        heads = [
            torch.cat([_head(part, k, v, attn.scale) for part in _pieces(q)], dim=3)
            for q, k, v in zip(queries, keys, values, strict=True)
        ]
        answer = _projected(attn.to_out[0], torch.cat(heads, dim=1)).squeeze(2).transpose(1, 2)
        if attn.residual_connection:
            answer = answer + hidden_states
        return answer if attn.rescale_output_factor == 1 else answer / attn.rescale_output_factor


def _channels_first(tokens: torch.Tensor) -> torch.Tensor:
    """(N, T, C) to (N, C, 1, T)."""
    return tokens.transpose(1, 2).unsqueeze(2)


def _projected(layer: nn.Linear, sample: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(sample, layer.weight[:, :, None, None], layer.bias)


def _pieces(query: torch.Tensor) -> tuple[torch.Tensor, ...]:
    # coremltools 9.0 cannot convert a split into one.
    if query.shape[3] <= _QUERIES_AT_ONCE:
        return (query,)
    pieces: tuple[torch.Tensor, ...] = torch.split(query, _QUERIES_AT_ONCE, dim=3)
    return pieces


def _head(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
    """One head: query (N, c, 1, T), key (N, S, 1, c), value (N, c, 1, S) to (N, c, 1, T)."""
    weights = torch.einsum("bkhc,bchq->bkhq", key * scale, query).softmax(dim=1)
    return torch.einsum("bchk,bkhq->bchq", value, weights)
