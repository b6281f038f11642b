"""How alike two pictures are: PSNR and SSIM, of the whole picture or inside a mask."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.image import structural_similarity_index_measure

__all__ = ["Picture", "masked_psnr", "masked_ssim", "psnr", "ssim"]

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""


def psnr(picture: Picture, target: Picture) -> float:
    """PSNR in dB over all pixels and channels, for a peak of 255; 100 when they are equal."""
    return masked_psnr(picture, target, np.ones(picture.shape[:2], bool))


def masked_psnr(picture: Picture, target: Picture, inside: NDArray[np.bool_]) -> float:
    """PSNR in dB over the pixels where `inside` (H, W) is true, for a peak of 255; 100 when they are equal."""
    error = (picture[inside].astype(np.float64) - target[inside].astype(np.float64)) ** 2
    return float(10 * np.log10(255.0**2 / max(error.mean(), 255.0**2 * 1e-10)))


def ssim(picture: Picture, target: Picture) -> float:
    """Structural similarity (Wang et al. 2004): 11 x 11 Gaussian window, sigma 1.5, mean over RGB."""
    return float(structural_similarity_index_measure(*_pair(picture, target), data_range=1.0))


def masked_ssim(picture: Picture, target: Picture, inside: NDArray[np.bool_]) -> float:
    """Mean of the same SSIM map over the pixels where `inside` (H, W) is true; their windows reach 5 pixels outside."""
    _, full = structural_similarity_index_measure(*_pair(picture, target), data_range=1.0, return_full_image=True)
    return float(full[0].mean(dim=0)[torch.from_numpy(inside)].mean())


def _pair(picture: Picture, target: Picture) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255 for p in (picture, target))
