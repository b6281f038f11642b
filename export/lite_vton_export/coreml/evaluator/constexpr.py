"""Compressed weights as the dense ones they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch

from lite_vton_export.coreml.evaluator.values import Operands, Operation, rounded

__all__ = ["CONSTEXPR"]


def _lut_to_dense(given: Operands) -> torch.Tensor:
    """Each index by its number in the palette."""
    lut = given["lut"]
    return _from_packed(given) if lut.dim() == 1 else _from_palettes(given["indices"], lut)


def _from_packed(given: Operands) -> torch.Tensor:
    """iOS 16 and 17: one palette (2^n,), indices of n bits each, the lowest bit first, one after another in bytes."""
    lut, shape = given["lut"], given.integers("shape")
    bits, count = int(math.log2(len(lut))), math.prod(shape)
    stream = np.unpackbits(given["indices"].numpy().astype(np.uint8), bitorder="little")[: count * bits]
    places = (1 << np.arange(bits)).astype(np.int64)
    indices = torch.from_numpy(stream.reshape(count, bits) @ places)
    return lut[indices].reshape(shape)


def _from_palettes(indices: torch.Tensor, lut: torch.Tensor) -> torch.Tensor:
    """iOS 18: a palette a block, (blocks along each axis of the indices ..., 2^n, 1)."""
    if lut.shape[-1] != 1:
        raise ValueError("palettes of vectors are not computed")
    blocks = lut.shape[: indices.dim()]
    palette = torch.arange(math.prod(blocks)).reshape(blocks)
    which = _spread(palette, indices.shape)
    return lut.reshape(-1, lut.shape[-2])[which, indices.long()]


def _affine_dequantize(given: Operands) -> torch.Tensor:
    """iOS 16 and 17: (number - zero point) × scale, one of each for all or for each place along `axis`."""
    data, axis = given["quantized_data"], given.integer("axis")
    shape = [1] * data.dim()
    shape[axis] = -1
    zero, scale = (given[name].float() for name in ("zero_point", "scale"))
    zero, scale = (part.view(shape) if part.dim() else part for part in (zero, scale))
    return (data.float() - zero) * scale


def _blockwise_shift_scale(given: Operands) -> torch.Tensor:
    """iOS 18: (number - offset) × scale, one of each a block."""
    data = given["data"].float()
    scale, offset = given["scale"], given.maybe("offset")
    if offset is not None:
        data = data - _spread(offset.float(), data.shape)
    return data * _spread(scale, data.shape)


def _spread(blocks: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """One number a block to one a place: each axis is a whole number of blocks."""
    for axis, side in enumerate(shape):
        if blocks.shape[axis] not in (1, side):
            blocks = blocks.repeat_interleave(side // blocks.shape[axis], dim=axis)
    return blocks.expand(shape)


CONSTEXPR: Mapping[str, Operation] = MappingProxyType(
    {
        "constexpr_lut_to_dense": _lut_to_dense,
        "constexpr_affine_dequantize": _affine_dequantize,
        "constexpr_blockwise_shift_scale": _blockwise_shift_scale,
        "constexpr_cast": lambda given: rounded(given["source_val"], given.word("output_dtype")),
    }
)
