"""What every picture autoencoder offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module, ABC):
    """Pictures (N, 3, H, W) in [-1, 1] to latents (N, C, H/8, W/8), unscaled, and back."""

    @abstractmethod
    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """Picture (N, 3, H, W) in [-1, 1] to its latent; deterministic, nothing is drawn."""

    @abstractmethod
    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Latent (N, C, h, w), unscaled, to a picture in about [-1, 1]; not clipped."""
