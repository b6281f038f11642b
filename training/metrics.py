"""How good a try-on is, next to the photograph of the person really wearing the garment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.image import structural_similarity_index_measure

from lite_vton.data.viton_hd import TryOnSample
from lite_vton.inputs import TryOnInputs, to_picture

__all__ = ["Paint", "Scores", "evaluate", "masked_psnr", "pasted_warp", "ssim"]

Picture = NDArray[np.uint8]
Paint = Callable[[TryOnInputs], Picture]
"""A way to make a try-on: inputs to a picture (H, W, 3) uint8 of the same size."""


@dataclass(frozen=True)
class Scores:
    """Means over the pairs: PSNR inside the repaint mask in dB, SSIM of the whole picture."""

    pairs: int
    psnr_in_mask: float
    ssim: float


def evaluate(samples: Iterable[TryOnSample], paint: Paint) -> Scores:
    """Paint every pair (the person's own garment) and compare with the person; pixels outside the mask are theirs."""
    psnrs: list[float] = []
    ssims: list[float] = []
    for sample in samples:
        inside = sample.inputs.mask[0, 0] > 0.5
        target = to_picture(sample.target)
        painted = np.where(inside[..., None], paint(sample.inputs), target)
        psnrs.append(masked_psnr(painted, target, inside))
        ssims.append(ssim(painted, target))
    return Scores(len(psnrs), float(np.mean(psnrs)), float(np.mean(ssims)))


def pasted_warp(inputs: TryOnInputs) -> Picture:
    """The baseline without a network: the warped garment pasted into the masked person."""
    return to_picture(inputs.masked_person)


def masked_psnr(picture: Picture, target: Picture, inside: NDArray[np.bool_]) -> float:
    """PSNR in dB over the pixels where `inside` (H, W) is true, for a peak of 255; 100 when they are equal."""
    error = (picture[inside].astype(np.float64) - target[inside].astype(np.float64)) ** 2
    return float(10 * np.log10(255.0**2 / max(error.mean(), 255.0**2 * 1e-10)))


def ssim(picture: Picture, target: Picture) -> float:
    """Structural similarity (Wang et al. 2004): 11 x 11 Gaussian window, sigma 1.5, mean over RGB."""
    pair = (torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255 for p in (picture, target))
    return float(structural_similarity_index_measure(*pair, data_range=1.0))
