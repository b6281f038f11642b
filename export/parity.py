"""How close two tensors are, in the figures the gates are set in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["IDENTICAL_DB", "Closeness", "closeness", "picture_psnr"]

IDENTICAL_DB = 200.0
"""What PSNR is capped at, so that identical tensors still give a number that JSON has."""


@dataclass(frozen=True)
class Closeness:
    """One tensor against its reference. With any NaN or infinity the other figures are those of no likeness."""

    psnr_db: float
    cosine: float
    max_abs: float
    nonfinite: int


def closeness(found: NDArray[np.generic], reference: NDArray[np.generic]) -> Closeness:
    """Compare two (N, C, ...) tensors of one shape; raises `ValueError` where shapes differ.

    PSNR = 10 log10(peak^2 / mse), its peak the reference's own range (max - min), since a latent has no fixed
    one. Channels on which the reference is constant carry no signal: their error counts, but they lend the
    peak, the cosine and the mean nothing. Otherwise the encoder's constant log-variance of -30 would flatter
    every latent by 15 dB.
    """
    if found.shape != reference.shape:
        raise ValueError(f"shape {found.shape} where {reference.shape} was expected")
    x, y = found.astype(np.float64), reference.astype(np.float64)
    nonfinite = int(x.size - np.isfinite(x).sum())
    if nonfinite:
        return Closeness(0.0, 0.0, float(np.finfo(np.float32).max), nonfinite)
    error = x - y
    varies = np.ptp(y.reshape(*y.shape[:2], -1), axis=(0, 2)) > 0 if y.ndim > 1 else np.array([])
    signal = (slice(None), varies) if varies.any() else (...,)
    x, y = x[signal], y[signal]
    peak = float(np.ptp(y)) or float(np.max(np.abs(y))) or 1.0
    squared = float((error**2).sum()) / y.size
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    cosine = float((x * y).sum()) / lengths if lengths else float(np.array_equal(x, y))
    return Closeness(_psnr(peak, squared), min(cosine, 1.0), float(np.max(np.abs(error))), 0)


def picture_psnr(found: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """PSNR in dB of two (H, W, 3) uint8 pictures over all of their pixels, peak 255."""
    return _psnr(255.0, float(np.mean((found.astype(np.float64) - reference.astype(np.float64)) ** 2)))


def _psnr(peak: float, squared: float) -> float:
    if squared == 0:
        return IDENTICAL_DB
    return float(np.clip(10 * np.log10(peak**2 / squared), 0.0, IDENTICAL_DB))
