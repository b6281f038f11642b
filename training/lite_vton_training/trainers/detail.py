"""The warp's detail given back to what was painted, as `lite_vton.tryon.detail` does, in a form that passes gradients
on.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from lite_vton.tryon.detail import AGREEMENT, COARSE

__all__ = ["carry_detail"]

_REACH = 4
"""Of the blur, in standard deviations: OpenCV's own for floating-point pictures."""


def carry_detail(painted: torch.Tensor, composite: torch.Tensor, reconstruction: torch.Tensor) -> torch.Tensor:
    """As `lite_vton.tryon.detail.carry_detail`, of pictures (N, 3, H, W) at once."""
    coarse = _blurred(painted - reconstruction, COARSE * painted.shape[2])
    trust = torch.exp(-coarse.square().mean(dim=1, keepdim=True) / AGREEMENT**2)
    return painted + trust * (composite - reconstruction)


def _blurred(picture: torch.Tensor, deviation: float) -> torch.Tensor:
    """By a Gaussian, along columns, then along rows; what lies beyond the edge is as in a mirror."""
    reach = max(1, round(_REACH * deviation))
    places = torch.arange(-reach, reach + 1, device=picture.device, dtype=picture.dtype)
    weights = torch.exp(-places.square() / (2 * deviation**2))
    column = (weights / weights.sum()).view(1, 1, -1, 1).expand(picture.shape[1], 1, -1, 1)
    padded = functional.pad(picture, (reach,) * 4, mode="reflect")
    tall = functional.conv2d(padded, column, groups=picture.shape[1])
    return functional.conv2d(tall, column.transpose(2, 3), groups=picture.shape[1])
