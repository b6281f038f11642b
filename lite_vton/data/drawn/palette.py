"""Colours: skin over the whole human range, hair, cloth."""

from __future__ import annotations

import colorsys

import numpy as np

from lite_vton.data.drawn.stage import Color

__all__ = ["any_color", "contrast", "hair_color", "luminance", "muted", "shaded", "skin_tone"]

_SKIN = np.array(
    [
        (0.98, 0.87, 0.79), (0.95, 0.80, 0.69), (0.90, 0.72, 0.58), (0.82, 0.62, 0.46),
        (0.71, 0.50, 0.35), (0.57, 0.38, 0.26), (0.43, 0.28, 0.19), (0.30, 0.20, 0.14),
    ]
)  # fmt: skip
_HAIR = np.array(
    [
        (0.06, 0.05, 0.05), (0.13, 0.09, 0.07), (0.24, 0.15, 0.10), (0.38, 0.24, 0.14), (0.55, 0.38, 0.22),
        (0.78, 0.62, 0.38), (0.48, 0.20, 0.10), (0.62, 0.61, 0.60), (0.85, 0.84, 0.82),
    ]
)  # fmt: skip
_HAIR_SHARES = np.array([0.24, 0.2, 0.16, 0.12, 0.08, 0.07, 0.05, 0.05, 0.03])


def skin_tone(rng: np.random.Generator) -> Color:
    """Between two neighbours of the skin table."""
    position = float(rng.uniform(0, len(_SKIN) - 1))
    tone = [float(np.interp(position, range(len(_SKIN)), _SKIN[:, channel])) for channel in range(3)]
    return _jitter(rng, tone, 0.02)


def hair_color(rng: np.random.Generator) -> Color:
    """One of the hair table, slightly off."""
    return _jitter(rng, _HAIR[int(rng.choice(len(_HAIR), p=_HAIR_SHARES))].tolist(), 0.03)


def any_color(rng: np.random.Generator) -> Color:
    """What cloth is dyed: white, black, greys, saturated, muted and pale colours."""
    kind = int(rng.choice(6, p=[0.12, 0.12, 0.12, 0.28, 0.22, 0.14]))
    hue = float(rng.uniform())
    low_s, high_s, low_v, high_v = (
        (0.0, 0.04, 0.93, 1.0),
        (0.0, 0.15, 0.06, 0.16),
        (0.0, 0.08, 0.25, 0.85),
        (0.7, 1.0, 0.5, 0.98),
        (0.25, 0.65, 0.25, 0.8),
        (0.12, 0.35, 0.85, 0.98),
    )[kind]
    return colorsys.hsv_to_rgb(hue, float(rng.uniform(low_s, high_s)), float(rng.uniform(low_v, high_v)))


def contrast(rng: np.random.Generator, color: Color) -> Color:
    """A second colour that can be told from `color`."""
    best, gap = color, -1.0
    for _ in range(6):
        other = any_color(rng)
        distance = float(np.abs(np.subtract(other, color)).sum())
        if distance > 0.75:
            return other
        if distance > gap:
            best, gap = other, distance
    return best


def muted(rng: np.random.Generator) -> Color:
    """What walls and streets are painted: mostly greyed colours."""
    color = any_color(rng)
    grey, mix = luminance(color), float(rng.beta(2.2, 1.2))
    r, g, b = (channel * (1 - mix) + grey * mix for channel in color)
    return r, g, b


def shaded(color: Color, factor: float) -> Color:
    """`color` times `factor`, at most white."""
    return (min(1.0, color[0] * factor), min(1.0, color[1] * factor), min(1.0, color[2] * factor))


def luminance(color: Color) -> float:
    """Brightness in [0, 1] (Rec. 709 weights)."""
    return 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2]


def _jitter(rng: np.random.Generator, color: list[float], amount: float) -> Color:
    r, g, b = np.clip(np.asarray(color) + rng.normal(0, amount, 3) * 0.5 + rng.normal(0, amount) * 0.7, 0.02, 1.0)
    return float(r), float(g), float(b)
