"""Pairs as the denoiser trains on them: encoded once, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from lite_vton.model.autoencoder import Autoencoder
from training.pictures import PicturePairs

__all__ = ["LatentPairs", "encode_pairs", "to_tensor"]


@dataclass(frozen=True)
class LatentPairs:
    """N pairs, float32. All but `mask` (N, 1, h, w) are scaled latents (N, 4, h, w).

    `x_0` is the person wearing the garment, `masked_person` the warped composite, `pose` the skeleton.
    """

    x_0: torch.Tensor
    mask: torch.Tensor
    masked_person: torch.Tensor
    pose: torch.Tensor

    def __len__(self) -> int:
        return len(self.x_0)

    def batch(self, chosen: torch.Tensor) -> LatentPairs:
        """The pairs at the indices `chosen`."""
        return LatentPairs(self.x_0[chosen], self.mask[chosen], self.masked_person[chosen], self.pose[chosen])

    def part(self, rows: slice) -> LatentPairs:
        """The pairs of a slice, without copying."""
        return LatentPairs(self.x_0[rows], self.mask[rows], self.masked_person[rows], self.pose[rows])

    def conditions(self) -> torch.Tensor:
        """(N, 9, h, w) in the U-Net's order: mask 1 | masked person 4 | pose 4."""
        return torch.cat([self.mask, self.masked_person, self.pose], dim=1)


@torch.no_grad()
def encode_pairs(pictures: PicturePairs, autoencoder: Autoencoder, scale: float, batch_size: int = 16) -> LatentPairs:
    """Encode each pair's three pictures; `pictures.person` wears the garment of the composite."""

    def encode(column: NDArray[np.uint8]) -> torch.Tensor:
        batches = (column[i : i + batch_size] for i in range(0, len(column), batch_size))
        return torch.cat([autoencoder.encode(to_tensor(batch)) for batch in batches]).mul(scale)

    x_0 = encode(pictures.person)
    downscale = pictures.person.shape[1] // x_0.shape[2]
    mask = functional.max_pool2d(torch.from_numpy(pictures.mask).float().unsqueeze(1), downscale)
    return LatentPairs(x_0, mask, encode(pictures.masked_person), encode(pictures.pose))


def to_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0
