"""What an error in each channel of a latent does to the picture: what a loss on latents weighs it by.

Channels that hold edges and texture vary as much as those that hold colour, and can be foretold much less. Counted
alike, they are most of the loss and little of the picture.
"""

from __future__ import annotations

import torch

from lite_vton.model.autoencoder import Autoencoder

__all__ = ["channel_weights"]

_NUDGE = 0.1


@torch.no_grad()
def channel_weights(autoencoder: Autoencoder, latents: torch.Tensor, latent_scale: float) -> torch.Tensor:
    """(C, 1, 1), mean 1: the picture's mean squared change where noise is added to one channel of `latents`.

    `latents` (N, C, h, w) are scaled ones; the same ones give the same weights.
    """
    generator = torch.Generator().manual_seed(0)
    noise = _NUDGE * torch.randn(latents[:, 0].shape, generator=generator)
    picture = autoencoder.decode(latents / latent_scale)
    changes = []
    for channel in range(latents.shape[1]):
        moved = latents.clone()
        moved[:, channel] += noise
        changes.append((autoencoder.decode(moved / latent_scale) - picture).square().mean())
    found = torch.stack(changes)
    return (found / found.mean()).view(-1, 1, 1)
