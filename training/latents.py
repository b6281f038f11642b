"""Pairs as the denoiser trains on them: encoded once, kept in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from lite_vton.inputs import TryOnInputs, latent_mask
from lite_vton.model.autoencoder import Autoencoder

__all__ = ["LatentPairs", "encode_pairs"]


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

    def conditions(self) -> torch.Tensor:
        """(N, 9, h, w) in the U-Net's order: mask 1 | masked person 4 | pose 4."""
        return torch.cat([self.mask, self.masked_person, self.pose], dim=1)


@torch.no_grad()
def encode_pairs(inputs: Iterable[TryOnInputs], autoencoder: Autoencoder, scale: float) -> LatentPairs:
    """Encode each pair's three pictures in one call; `inputs.person` wears the garment of the composite."""
    columns: list[tuple[torch.Tensor, ...]] = []
    for pair in inputs:
        pictures = torch.from_numpy(pair.person), torch.from_numpy(pair.masked_person), torch.from_numpy(pair.pose)
        person, masked, pose = autoencoder.encode(torch.cat(pictures)).mul(scale).unsqueeze(1)
        downscale = pair.person.shape[2] // person.shape[2]
        columns.append((person, torch.from_numpy(latent_mask(pair.mask, downscale)), masked, pose))
    return LatentPairs(*(torch.cat(column) for column in zip(*columns, strict=True)))
