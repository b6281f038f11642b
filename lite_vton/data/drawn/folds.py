"""Creases: light and dark to either side of a line in the cloth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.drawn.garment import PANEL_LENGTH, PANEL_WIDTH, Garment
from lite_vton.data.drawn.stage import Points

__all__ = ["body_folds", "sleeve_folds"]

_Relief = Callable[[Points], NDArray[np.float64]]
_UNIT = np.array([PANEL_WIDTH, PANEL_LENGTH])


def body_folds(rng: np.random.Generator, garment: Garment, strength: float) -> _Relief:
    """Creases of a body panel: from the armpits, around the waist, down to the hem."""
    creases: list[tuple[Points, Points, float, float]] = []

    def add(start: tuple[float, float], end: tuple[float, float], width: float, depth: float) -> None:
        creases.append((np.array(start) * _UNIT, np.array(end) * _UNIT, width, depth * strength * garment.sheen))

    for side in (-1, 1):
        for _ in range(int(rng.integers(1, 4))):
            v = rng.uniform(0.24, 0.36)
            add(
                (side * 1.0, v),
                (side * rng.uniform(0.3, 0.7), v + rng.uniform(0.05, 0.3)),
                rng.uniform(1.5, 4),
                rng.normal(0, 0.5),
            )
    for _ in range(int(rng.integers(1, 5))):
        v, u = rng.uniform(0.55, 0.85), rng.uniform(-0.9, 0.9)
        add(
            (u, v),
            (u * 0.3 - np.sign(u) * 0.2, v + rng.uniform(-0.08, 0.08)),
            rng.uniform(1.5, 4.5),
            rng.normal(0, 0.45),
        )
    for _ in range(int(rng.integers(1, 4 + int(8 * max(0.0, garment.hem - 1.2))))):
        u = rng.uniform(-0.85, 0.85)
        v = rng.uniform(0.6, 0.9) if garment.hem < 1.3 else rng.uniform(0.85, 1.2)
        add((u, v), (u * 1.05 + rng.normal(0, 0.05), garment.hem + 0.05), rng.uniform(2, 6), rng.normal(0, 0.45))
    return lambda uv: _sum(uv * _UNIT, creases)


def sleeve_folds(rng: np.random.Generator, half: float, length: float, strength: float, elbow: float) -> _Relief:
    """Creases across a sleeve, most of them near the elbow at `elbow` (0 to 1 along it)."""
    unit = np.array([half, length])
    creases = []
    for _ in range(int(rng.integers(2, 7))):
        v = float(np.clip(rng.normal(elbow, 0.14), 0.08, 0.97))
        side = float(rng.choice([-1.0, 1.0]))
        start, end = np.array([side * 1.0, v]), np.array([-side * rng.uniform(0, 0.8), v + rng.normal(0, 0.08)])
        creases.append((start * unit, end * unit, float(rng.uniform(1.2, 3.0)), float(rng.normal(0, 0.5)) * strength))
    return lambda uv: _sum(uv * unit, creases)


def _sum(points: Points, creases: list[tuple[Points, Points, float, float]]) -> NDArray[np.float64]:
    relief = np.zeros(points.shape[:-1])
    for start, end, width, depth in creases:
        along = end - start
        length = max(float(np.linalg.norm(along)), 1e-6)
        along = along / length
        offset = points - start
        s = (offset @ along) / length
        t = (offset @ np.array([-along[1], along[0]])) / width
        window = np.exp(-(np.maximum(np.abs(s - 0.4) - 0.3, 0) ** 2) / 0.06)
        relief += depth * t * np.exp(-(t**2)) * window
    return np.asarray(np.clip(relief, -0.4, 0.4))
