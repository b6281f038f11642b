"""How close two tensors are, in the figures the gates are set in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["IDENTICAL_DB", "Closeness", "closeness", "echo", "echo_psnr", "picture_psnr"]

IDENTICAL_DB = 200.0
"""What PSNR is capped at, so that identical tensors still give a number that JSON has."""
_VECTORS = 16


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
    signal = _signal(y)
    x, y = x[signal], y[signal]
    peak = _peak(y)
    squared = float((error**2).sum()) / y.size
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    cosine = float((x * y).sum()) / lengths if lengths else float(np.array_equal(x, y))
    return Closeness(_psnr(peak, squared), min(cosine, 1.0), float(np.max(np.abs(error))), 0)


def echo(found: NDArray[np.generic], reference: NDArray[np.generic]) -> tuple[float, ...]:
    """16 numbers from which `echo_psnr` tells how far apart two answers are, without either.

    They are products of the (N, C, ...) tensor with fixed random vectors of +-1, over the reference's peak, and over
    the root of how many numbers carry signal: the mean square of the differences between two tensors' products is, on
    average over the vectors, the mean square that `closeness` takes.
    """
    flat = found.astype(np.float64).ravel()
    random = np.random.Generator(np.random.Philox(flat.size))
    y = reference.astype(np.float64)
    y = y[_signal(y)]
    unit = _peak(y) * float(np.sqrt(y.size))
    signs = (random.integers(0, 2, flat.size, dtype=np.int8) * np.float64(2) - 1 for _ in range(_VECTORS))
    return tuple(float(flat @ vector) / unit for vector in signs)


def echo_psnr(found: Sequence[float], then: Sequence[float]) -> float:
    """About how close two answers to the same call are, in dB of PSNR; good to 2 dB."""
    if len(found) != len(then):
        return 0.0
    return _psnr(1.0, float(np.mean((np.array(found) - np.array(then)) ** 2)))


def picture_psnr(found: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """PSNR in dB of two (H, W, 3) uint8 pictures over all of their pixels, peak 255."""
    return _psnr(255.0, float(np.mean((found.astype(np.float64) - reference.astype(np.float64)) ** 2)))


def _signal(reference: NDArray[np.float64]) -> tuple[Any, ...]:
    """Which channels of a reference are not constant, as an index; all if none."""
    rows = reference.reshape(*reference.shape[:2], -1) if reference.ndim > 1 else np.zeros((1, 0, 1))
    varies = np.ptp(rows, axis=(0, 2)) > 0
    return (slice(None), varies) if varies.any() else (...,)


def _peak(signal: NDArray[np.float64]) -> float:
    return float(np.ptp(signal)) or float(np.max(np.abs(signal))) or 1.0


def _psnr(peak: float, squared: float) -> float:
    if squared == 0:
        return IDENTICAL_DB
    return float(np.clip(10 * np.log10(peak**2 / squared), 0.0, IDENTICAL_DB))
