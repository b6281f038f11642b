"""Limbs, necks, heads and trunks: a line with a width, seen as a rounded surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import skia
from numpy.typing import NDArray

from lite_vton.data.drawn.stage import Points, closed

__all__ = ["Tube", "bend", "joined", "profile", "tube"]


@dataclass(frozen=True)
class Tube:
    """Mesh (R, C, 2), normals (R, C, 3) and outline of one rounded part."""

    points: Points
    normals: NDArray[np.float64]
    outline: skia.Path


def tube(
    line: Points,
    half: NDArray[np.float64],
    *,
    columns: int = 9,
    bulge: float = 0.95,
    caps: tuple[bool, bool] = (False, False),
    facing: NDArray[np.float64] | None = None,
) -> Tube:
    """Rounded part along `line` (R, 2) with half widths (R,).

    `bulge` is how far the sides turn away (1 = a full half-circle), `caps` rounds the first and last end,
    `facing` (R,) tilts normals along the line (positive = towards its end).
    """
    tilt = np.zeros(len(line)) if facing is None else facing
    if caps[0]:
        line, half, tilt = (x[::-1] for x in _capped(line[::-1], half[::-1], tilt[::-1]))
    if caps[1]:
        line, half, tilt = _capped(line, half, tilt)
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
    across = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    u = np.linspace(-1, 1, columns)
    points = line[:, None] + across[:, None] * (u[None, :, None] * half[:, None, None])
    side = across[:, None] * (u[None, :, None] * bulge) + tangent[:, None] * tilt[:, None, None]
    depth = np.sqrt(np.maximum(1 - (side**2).sum(-1, keepdims=True), 0.02))
    normals = np.concatenate([side, depth], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return Tube(points, normals, closed(np.vstack([points[:, 0], points[::-1, -1]])))


def joined(part: Tube, inner: int, rows: int) -> Tube:
    """`part` whose first `rows` face the viewer on their inner side: an arm grows out of the shoulder there.

    `inner` is the sign of the side (along increasing columns) that meets the trunk.
    """
    normals = part.normals.copy()
    count, columns = normals.shape[:2]
    fade = np.clip((np.arange(count) - rows / 2) / rows, 0, 1)[:, None]
    u = np.linspace(-1, 1, columns)[None, :] * inner
    keep = 1 - (1 - fade) * np.clip(u + 0.6, 0, 1)
    normals[..., :2] *= keep[..., None]
    normals[..., 2] = np.sqrt(np.maximum(1 - (normals[..., :2] ** 2).sum(-1), 0.02))
    return Tube(part.points, normals, part.outline)


def profile(t: NDArray[np.float64], knots: dict[float, float]) -> NDArray[np.float64]:
    """A smooth curve through `knots` (position: value), eased between neighbours."""
    x, y = np.array(sorted(knots)), np.array([knots[k] for k in sorted(knots)])
    index = np.clip(np.searchsorted(x, t, side="right") - 1, 0, len(x) - 2)
    slope = np.gradient(y, x)
    width = x[index + 1] - x[index]
    s = np.clip((t - x[index]) / width, 0, 1)
    a, b, m, n = y[index], y[index + 1], slope[index] * width, slope[index + 1] * width
    return np.asarray(
        a * (1 + 2 * s) * (1 - s) ** 2 + m * s * (1 - s) ** 2 + b * s**2 * (3 - 2 * s) - n * s**2 * (1 - s)
    )


def bend(start: Points, joint: Points, end: Points, rows: int = 25, radius: float = 0.16) -> Points:
    """(rows, 2) evenly spaced line start-joint-end whose corner is rounded over `radius` of each side."""
    before, after = joint + (start - joint) * radius, joint + (end - joint) * radius
    t = np.linspace(0, 1, 9)[:, None]
    corner = before * (1 - t) ** 2 + 2 * joint * t * (1 - t) + after * t**2
    raw = np.vstack([start, corner, end])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(raw, axis=0), axis=1))])
    even = np.linspace(0, length[-1], rows)
    return np.stack([np.interp(even, length, raw[:, 0]), np.interp(even, length, raw[:, 1])], axis=1)


def _capped(
    line: Points, half: NDArray[np.float64], tilt: NDArray[np.float64]
) -> tuple[Points, NDArray[np.float64], NDArray[np.float64]]:
    direction = line[-1] - line[-2]
    direction = direction / max(float(np.linalg.norm(direction)), 1e-6)
    angle = np.linspace(0, np.pi / 2, 7)[1:]
    extra = line[-1] + direction * (np.sin(angle) * half[-1])[:, None]
    return (
        np.vstack([line, extra]),
        np.concatenate([half, half[-1] * np.cos(angle)]),
        np.concatenate([tilt, tilt[-1] + np.sin(angle) * 0.7]),
    )
