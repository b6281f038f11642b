"""How alike two sets of pictures are, by their Inception features: FID and KID."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchmetrics.image.kid import KernelInceptionDistance

__all__ = ["KID_SCALE", "KID_SUBSETS", "KID_SUBSET_SIZE", "Kid", "frechet_distance", "kernel_distance"]

KID_SUBSETS = 100
KID_SUBSET_SIZE = 1000
"""Pictures a subset, or all there are if fewer."""
KID_SCALE = 1000
"""What KID is multiplied by."""


@dataclass(frozen=True)
class Kid:
    """Mean and standard deviation over the subsets, times `KID_SCALE`."""

    mean: float
    deviation: float


def frechet_distance(real: Tensor, made: Tensor) -> float:
    """FID (Heusel et al. 2017) of features (N, D) and (M, D), N and M at least 2; 0 for the same set.

    The trace of (S_r S_m)^(1/2) is the sum of the singular values of A B^T, where A and B are the centred features
    over sqrt(N - 1) and sqrt(M - 1). With fewer pictures than features S_r S_m is singular; this way loses no digits
    to that, and takes milliseconds where a matrix root takes many seconds.
    """
    real, made = real.double(), made.double()
    shift = (real.mean(dim=0) - made.mean(dim=0)).square().sum()
    a, b = ((x - x.mean(dim=0)) / (len(x) - 1) ** 0.5 for x in (real, made))
    spread = a.square().sum() + b.square().sum()
    # The triangular factors have the same product's singular values and no more rows than features.
    a, b = (torch.linalg.qr(x, mode="r").R for x in (a, b))
    return float(shift + spread - 2 * torch.linalg.svdvals(a @ b.T).sum())


def kernel_distance(real: Tensor, made: Tensor, seed: int = 0) -> Kid:
    """KID (Binkowski et al. 2018) of features (N, D) and (M, D): unbiased, so it may be a little below 0.

    Cubic polynomial kernel; the subsets are drawn with `seed`, the caller's random numbers are left alone.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it keeps all features, which we do as well
        metric = KernelInceptionDistance(
            nn.Identity(), subsets=KID_SUBSETS, subset_size=min(len(real), len(made), KID_SUBSET_SIZE)
        )
    metric.update(real.double(), real=True)
    metric.update(made.double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, deviation = metric.compute()
    return Kid(KID_SCALE * float(mean), KID_SCALE * float(deviation))
