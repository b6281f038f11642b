"""Which number of a palette each weight becomes: the nearest, or the next one where that keeps its kernel's sum.

Pictures are smooth, and so is what a network makes of them: over the few places that a kernel covers, a channel hardly
changes, and what the kernel's errors add is that value times their sum. Nearest numbers leave the sum of 9 errors three
times as large as one of them. Taking the second nearest for one or two of the 9 leaves next to nothing of it, for a
tenth more in squares, in as many bytes. (Kernel by kernel this is what SQuant does, Guo et al., ICLR 2022, for evenly
spaced numbers; its second round, over all kernels of an output, gains a twentieth of that here.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["entries"]

_SUM = 4.0
"""What the square of a kernel's summed error counts, beside the sum of its errors' squares. It is r / (1 - r) where a
kernel's inputs correlate by r with each other, and 1 to 16 do about equally well."""

_ROUNDS = 6
"""How many weights of a kernel may move, one a round; hardly any moves more than three."""

_AT_ONCE = 1 << 16
"""Kernels worked on together, so that what is computed beside the weights stays small."""


def entries(weight: NDArray[np.floating[Any]], palette: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """For each number of `weight`, row by row, the index of an entry of `palette`: at most 256 numbers, ascending.

    What lies beyond the first two axes of `weight`, (out, in, ...) or (in, out, ...), is a kernel; a matrix has none,
    and gets the nearest numbers.
    """
    values = palette.astype(np.float32)
    kernels = weight.reshape(-1, math.prod(weight.shape[2:]))
    chosen = np.empty(kernels.shape, np.uint8)
    for start in range(0, len(kernels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        chosen[part] = _chosen(kernels[part].astype(np.float32), values)
    return chosen.ravel()


def _chosen(kernels: NDArray[np.float32], palette: NDArray[np.float32]) -> NDArray[np.intp]:
    chosen = np.searchsorted((palette[1:] + palette[:-1]) / 2, kernels)
    if kernels.shape[1] == 1:
        return chosen
    moving = np.arange(len(kernels))
    for _ in range(_ROUNDS):
        given, now = kernels[moving], chosen[moving]
        error = palette[now] - given
        total = error.sum(axis=1, keepdims=True)
        other = np.clip(now - np.sign(total).astype(now.dtype), 0, len(palette) - 1)
        step = palette[other] - palette[now]
        change = _SUM * step * (2 * total + step) + step * (2 * error + step)
        best = change.argmin(axis=1)
        better = np.flatnonzero(change[np.arange(len(moving)), best] < 0)
        moving, best = moving[better], best[better]
        chosen[moving, best] = other[better, best]
        if not len(moving):
            break
    return chosen
