"""Pictures made larger or smaller."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch.nn import functional

from lite_vton_export.coreml.evaluator.values import Operands, Operation

__all__ = ["RESAMPLING"]


def _nearest(given: Operands) -> torch.Tensor:
    x, scales = given["x"], (given["scale_factor_height"], given["scale_factor_width"])
    high, wide = (float(scale.item()) for scale in scales)
    if high != int(high) or wide != int(wide):
        raise ValueError(f"upsample_nearest_neighbor by {high:g} × {wide:g} is not computed, only by whole numbers")
    return x.repeat_interleave(int(high), dim=-2).repeat_interleave(int(wide), dim=-1)


RESAMPLING: Mapping[str, Operation] = MappingProxyType(
    {
        "upsample_nearest_neighbor": _nearest,
        "pixel_shuffle": lambda given: functional.pixel_shuffle(given["x"], given.integer("upscale_factor")),
        "pixel_unshuffle": lambda given: functional.pixel_unshuffle(given["x"], given.integer("downscale_factor")),
    }
)
