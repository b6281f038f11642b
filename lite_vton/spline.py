"""Thin-plate splines in numpy, and warping pictures by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ThinPlateSpline", "sampling_map"]

_Points = NDArray[np.float64]


@dataclass(frozen=True)
class ThinPlateSpline:
    """A smooth map of the plane through given points (Bookstein 1989): the identity plus a bent displacement."""

    sources: _Points
    weights: _Points
    affine: _Points
    origin: _Points
    scale: float

    @classmethod
    def fit(cls, sources: ArrayLike, targets: ArrayLike) -> ThinPlateSpline:
        """The spline that takes sources (N, 2) to targets (N, 2), N >= 1.

        Points on one line or one spot leave it undetermined: then it is the least displacement that fits,
        and of equal sources with different targets it meets the mean.
        """
        a, b = np.asarray(sources, np.float64), np.asarray(targets, np.float64)
        if a.ndim != 2 or a.shape != b.shape or a.shape[1] != 2 or len(a) == 0:
            raise ValueError(f"sources and targets must both be (N, 2), not {a.shape} and {b.shape}")
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise ValueError("sources and targets must be finite")
        # Normalised, or r^2 log r^2 and the affine part differ by many orders of magnitude.
        origin = a.mean(axis=0)
        scale = float(max(np.abs(a - origin).max(), 1e-9))
        points = (a - origin) / scale
        count = len(points)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _kernel(points, points)
        system[:count, count] = 1
        system[:count, count + 1 :] = points
        system[count:, :count] = system[:count, count:].T
        wanted = np.zeros((count + 3, 2))
        wanted[:count] = b - a
        # Least squares, not solve: a singular system has a sensible answer here.
        solution = np.linalg.lstsq(system, wanted, rcond=1e-12)[0]
        return cls(points, solution[:count], solution[count:], origin, scale)

    def __call__(self, points: ArrayLike) -> _Points:
        """Where points (M, 2) go, (M, 2)."""
        given = np.asarray(points, np.float64)
        local = (given - self.origin) / self.scale
        bent = _kernel(local, self.sources) @ self.weights
        return np.asarray(given + bent + self.affine[0] + local @ self.affine[1:])


def _kernel(a: _Points, b: _Points) -> _Points:
    squared = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    return np.asarray(squared * np.log(np.maximum(squared, 1e-30)))


_STEP = 8  # a spline is smooth: sampling it every 8 pixels and interpolating errs by far less than a pixel


def sampling_map(spline: ThinPlateSpline, height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`spline` at each pixel of (height, width), as cv2.remap's x and y maps, float32."""
    import cv2

    xs = np.arange(0, width + _STEP, _STEP, dtype=np.float64)
    ys = np.arange(0, height + _STEP, _STEP, dtype=np.float64)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1)
    coarse = spline(grid.reshape(-1, 2)).reshape(*grid.shape)
    # Far outside the picture all is alike; cv2's fixed-point coordinates must not overflow.
    coarse = np.clip(coarse, -1e4, 3e4).astype(np.float32)
    # An affine warp puts coarse node i on pixel i * step exactly, which cv2.resize would not.
    shrink = np.array([[1 / _STEP, 0, 0], [0, 1 / _STEP, 0]], np.float64)
    fine = cv2.warpAffine(
        coarse, shrink, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(fine[..., 0], np.float32), np.ascontiguousarray(fine[..., 1], np.float32)
