"""HaarPSI (Reisenhofer, Bosse, Kutyniok and Wiegand 2018): perceptual similarity that needs no trained network.

Small edges of both pictures are compared by two fine Haar wavelets, across and down, and colours by their averages;
a coarser wavelet says how much each place matters. Libraries that have it want torchvision beside it; a test holds
that this gives their figures.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lite_vton_training.metrics.similarity import Picture

__all__ = ["haarpsi"]

_C, _ALPHA = 30.0, 4.2  # of the paper, for pictures in [0, 255]
_SCALES = (2, 4, 8)  # widths of the wavelets in pixels of the halved picture; the last one weighs the others
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


def haarpsi(picture: Picture, target: Picture, inside: NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """Similarity in [0, 1], 1 for equal pictures: of the whole, and of what `inside` (H, W) marks (NaN without).

    The paper compares at half the size. The second figure is the same weighted mean over those half-size positions of
    which a pixel is inside; their wavelets reach up to 8 pixels beyond. NaN where nothing is inside.
    """
    similar, weight = _maps(_yiq(picture), _yiq(target))
    whole = _pooled(similar, weight)
    if inside is None or not inside.any():
        return whole, float("nan")
    covered = functional.max_pool2d(_even(torch.from_numpy(inside)[None, None].double()), 2)[0, 0] > 0
    return whole, _pooled(similar[:, covered], weight[:, covered])


def _maps(picture: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Similarities and weights (3, h, w) of two YIQ pictures (3, h, w): across, down, and of the colours."""
    edges = [_edges(each[:1]) for each in (picture, target)]
    fine = _alike(*(each[:-1] for each in edges)).mean(dim=0)
    coarse = torch.maximum(edges[0][-1], edges[1][-1])
    colours = _alike(*(_mean_of_four(each[1:]).abs() for each in (picture, target))).mean(dim=0)
    return torch.cat([fine, colours[None]]), torch.cat([coarse, coarse.mean(dim=0, keepdim=True)])


def _edges(luma: Tensor) -> Tensor:
    """Magnitudes (scale, 2, h, w) of the Haar wavelets' answers to (1, h, w), across and down."""
    answers = []
    for size in _SCALES:
        half = size // 2
        wavelet = torch.ones(size, size, dtype=luma.dtype) / size
        wavelet[:half] *= -1
        padded = functional.pad(luma[None], (half - 1, half, half - 1, half))
        answers.append(functional.conv2d(padded, torch.stack([wavelet.T, wavelet])[:, None])[0].abs())
    return torch.stack(answers)


def _mean_of_four(colours: Tensor) -> Tensor:
    return functional.avg_pool2d(functional.pad(colours, (0, 1, 0, 1)), 2, stride=1)


def _alike(a: Tensor, b: Tensor) -> Tensor:
    return (2 * a * b + _C) / (a**2 + b**2 + _C)


def _pooled(similar: Tensor, weight: Tensor) -> float:
    """Weighted mean through the paper's logistic function, and back; plain if no weight is anywhere."""
    total = weight.sum()
    weight = weight / total if total > 0 else torch.full_like(weight, 1 / weight.numel())
    mean = (torch.sigmoid(_ALPHA * similar) * weight).sum()
    return min(1.0, float((torch.logit(mean) / _ALPHA) ** 2))


def _yiq(picture: Picture) -> Tensor:
    """(3, h, w) at half the size, of luma and two colours."""
    pixels = _even(torch.from_numpy(picture).permute(2, 0, 1)[None].double())
    halved = functional.avg_pool2d(pixels, 2)[0]
    return torch.einsum("ij,jhw->ihw", torch.tensor(_YIQ, dtype=halved.dtype), halved)


def _even(pictures: Tensor) -> Tensor:
    """With zeros below and to the right where a size is odd."""
    height, width = pictures.shape[-2:]
    return functional.pad(pictures, (0, width % 2, 0, height % 2))
