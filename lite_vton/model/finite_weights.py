"""Weights that are numbers: what every reader of weights asks for before it takes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from lite_vton.errors import UserError

__all__ = ["finite_float32", "refuse_not_finite"]


def finite_float32(tensor: torch.Tensor, name: str, source: str | Path) -> torch.Tensor:
    """A weight in float32, itself if it is so; `UserError`, naming `source`, where a value is then NaN or infinite."""
    found = tensor.detach().float()
    if not found.isfinite().all():
        raise UserError(f"{source} has NaN or infinity in {name}: copy it again, or take an earlier one")
    return found


def refuse_not_finite(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """A `UserError` naming the first of the weights in `path` that is of integers, or holds NaN or infinity."""
    for name, tensor in state.items():
        if tensor.is_complex() or not (tensor.is_floating_point() or name.endswith(_INTEGERS)):
            raise UserError(f"{path} holds {name} as {str(tensor.dtype).removeprefix('torch.')}: give weights in float")
        wrong = int((~tensor.isfinite()).sum()) if tensor.is_floating_point() else 0
        if wrong:
            raise UserError(
                f"{path} holds {name} with {wrong} of {tensor.numel()} values NaN or infinite: "
                "take a copy from before that, or train it again"
            )


_INTEGERS = ("position_ids", "num_batches_tracked")
"""Buffers that hold numbers of places and of batches, and no weights."""
