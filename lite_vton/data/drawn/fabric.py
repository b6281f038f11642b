"""Cloth before it is cut: colours, patterns and prints, painted in frame units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import skia

from lite_vton.data.drawn.letters import LETTERS, lettering
from lite_vton.data.drawn.palette import any_color, contrast
from lite_vton.data.drawn.stage import Color

__all__ = ["PATTERNS", "PRINTS", "Fabric", "Print", "draw_fabric", "draw_print", "paint_fabric", "paint_print"]


@dataclass(frozen=True)
class Fabric:
    """`pattern` is a key of `PATTERNS`; `period` and `width` (the part of a period in the second colour) scale it."""

    pattern: str
    colors: tuple[Color, Color, Color]
    period: float
    width: float
    phase: float


@dataclass(frozen=True)
class Print:
    """A motif on the chest: `kind` is a key of `PRINTS`, `size` its width in frame units."""

    kind: str
    color: Color
    second: Color
    size: float
    word: str
    slant: float
    weight: float


def _fill(color: Color, opacity: float = 1.0, stroke: float = 0.0) -> skia.Paint:
    paint = skia.Paint(Color4f=skia.Color4f(*color, opacity), AntiAlias=True)
    if stroke:
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(stroke)
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
    return paint


_REACH = 340.0  # beyond any panel


def _bands(canvas: skia.Canvas, fabric: Fabric, across: bool, opacity: float = 1.0, color: int = 1) -> None:
    paint = _fill(fabric.colors[color], opacity)
    start = -_REACH / 2 + fabric.phase * fabric.period
    for at in np.arange(start - start % fabric.period - fabric.period / 2, _REACH, fabric.period).tolist():
        thick = fabric.period * fabric.width
        canvas.drawRect(
            skia.Rect.MakeXYWH(-_REACH, at, 2 * _REACH, thick)
            if across
            else skia.Rect.MakeXYWH(at, -_REACH, thick, 2 * _REACH),
            paint,
        )


def _plain(canvas: skia.Canvas, fabric: Fabric) -> None:
    """The ground colour alone."""


def _across(canvas: skia.Canvas, fabric: Fabric) -> None:
    _bands(canvas, fabric, True)


def _along(canvas: skia.Canvas, fabric: Fabric) -> None:
    _bands(canvas, fabric, False)


def _checks(canvas: skia.Canvas, fabric: Fabric) -> None:
    _bands(canvas, fabric, True, 0.55)
    _bands(canvas, fabric, False, 0.55)
    thin = Fabric(fabric.pattern, fabric.colors, fabric.period, 0.08, fabric.phase + 0.4)
    _bands(canvas, thin, True, 0.7, 2)
    _bands(canvas, thin, False, 0.7, 2)


def _dots(canvas: skia.Canvas, fabric: Fabric) -> None:
    paint = _fill(fabric.colors[1])
    steps = int(_REACH / fabric.period)
    for row in range(-4, steps):
        for column in range(-steps // 2, steps // 2):
            x = (column + 0.5 * (row % 2)) * fabric.period
            canvas.drawCircle(x, row * fabric.period * 0.86, fabric.period * (0.14 + 0.2 * fabric.width), paint)


def _scattered(canvas: skia.Canvas, fabric: Fabric, motif: Callable[[skia.Canvas, float, int], None]) -> None:
    # Hash-like offsets: the same motif positions on body and sleeves without a generator in the painter.
    steps = int(_REACH / fabric.period) // 2
    for row in range(-3, steps * 2):
        for column in range(-steps, steps):
            jitter = (np.sin(row * 12.9898 + column * 78.233 + fabric.phase * 7) * 43758.5453) % 1
            canvas.save()
            canvas.translate(
                (column + 0.5 * (row % 2) + 0.3 * jitter) * fabric.period, (row + 0.3 * jitter) * fabric.period
            )
            canvas.rotate(360 * jitter)
            motif(canvas, fabric.period * (0.2 + 0.15 * fabric.width), int(jitter * 97) % 2 + 1)
            canvas.restore()


def _flowers(canvas: skia.Canvas, fabric: Fabric) -> None:
    def flower(at: skia.Canvas, radius: float, color: int) -> None:
        petal = _fill(fabric.colors[color])
        for turn in np.linspace(0, 2 * np.pi, 5, endpoint=False).tolist():
            at.drawCircle(float(np.cos(turn)) * radius, float(np.sin(turn)) * radius, radius * 0.7, petal)
        at.drawCircle(0, 0, radius * 0.6, _fill(fabric.colors[3 - color]))

    _scattered(canvas, fabric, flower)


def _leaves(canvas: skia.Canvas, fabric: Fabric) -> None:
    def leaf(at: skia.Canvas, radius: float, color: int) -> None:
        at.drawOval(
            skia.Rect.MakeXYWH(-radius * 1.6, -radius * 0.6, radius * 3.2, radius * 1.2), _fill(fabric.colors[color])
        )

    _scattered(canvas, fabric, leaf)


def _block(canvas: skia.Canvas, fabric: Fabric) -> None:
    top = 20 + 60 * fabric.phase
    canvas.drawRect(skia.Rect.MakeXYWH(-_REACH, top, 2 * _REACH, 14 + 40 * fabric.width), _fill(fabric.colors[1]))


PATTERNS: dict[str, tuple[float, Callable[[skia.Canvas, Fabric], None]]] = {
    "plain": (0.36, _plain),
    "stripes across": (0.16, _across),
    "stripes along": (0.10, _along),
    "checks": (0.12, _checks),
    "dots": (0.08, _dots),
    "flowers": (0.07, _flowers),
    "leaves": (0.05, _leaves),
    "block": (0.06, _block),
}
"""Patterns: their share and what paints them over the ground colour."""


def _word(canvas: skia.Canvas, motif: Print) -> None:
    canvas.drawPath(
        lettering(motif.word, motif.size, motif.slant),
        _fill(motif.color, stroke=motif.size * motif.weight / max(3, len(motif.word))),
    )


def _disc(canvas: skia.Canvas, motif: Print) -> None:
    canvas.drawCircle(0, 0, motif.size * 0.42, _fill(motif.color))
    canvas.drawCircle(motif.size * 0.1, motif.size * 0.06, motif.size * 0.2, _fill(motif.second))


def _star(canvas: skia.Canvas, motif: Print) -> None:
    turn = np.arange(10) * np.pi / 5 - np.pi / 2
    radius = np.where(np.arange(10) % 2 == 0, 0.5, 0.21) * motif.size
    points = [
        skia.Point(x, y)
        for x, y in zip((np.cos(turn) * radius).tolist(), (np.sin(turn) * radius).tolist(), strict=True)
    ]
    path = skia.Path()
    path.addPoly(points, True)
    canvas.drawPath(path, _fill(motif.color))


def _mountains(canvas: skia.Canvas, motif: Print) -> None:
    s = motif.size / 2
    for points, color in (
        ([(-s, s * 0.6), (-s * 0.25, -s * 0.5), (s * 0.5, s * 0.6)], motif.color),
        ([(-s * 0.1, s * 0.6), (s * 0.45, -s * 0.1), (s, s * 0.6)], motif.second),
    ):
        path = skia.Path()
        path.addPoly([skia.Point(x, y) for x, y in points], True)
        canvas.drawPath(path, _fill(color))
    canvas.drawCircle(s * 0.45, -s * 0.5, s * 0.2, _fill(motif.second))


def _framed(canvas: skia.Canvas, motif: Print) -> None:
    s = motif.size
    canvas.drawRoundRect(skia.Rect.MakeXYWH(-s / 2, -s * 0.3, s, s * 0.6), s * 0.08, s * 0.08, _fill(motif.color))
    path = lettering(motif.word, s * 0.78, motif.slant)
    canvas.drawPath(path, _fill(motif.second, stroke=s * motif.weight * 0.75 / max(3, len(motif.word))))


def _heart(canvas: skia.Canvas, motif: Print) -> None:
    s = motif.size * 0.5
    path = skia.Path()
    path.moveTo(0, s * 0.9)
    path.cubicTo(-s * 1.6, -s * 0.1, -s * 0.7, -s * 1.2, 0, -s * 0.4)
    path.cubicTo(s * 0.7, -s * 1.2, s * 1.6, -s * 0.1, 0, s * 0.9)
    canvas.drawPath(path, _fill(motif.color))


PRINTS: dict[str, tuple[float, Callable[[skia.Canvas, Print], None]]] = {
    "word": (0.42, _word),
    "framed word": (0.16, _framed),
    "disc": (0.12, _disc),
    "star": (0.1, _star),
    "mountains": (0.1, _mountains),
    "heart": (0.1, _heart),
}
"""Motifs: their share and what paints them around 0, 0."""


def draw_fabric(rng: np.random.Generator) -> Fabric:
    """Some cloth."""
    ground = any_color(rng)
    second = contrast(rng, ground)
    name = list(PATTERNS)[int(rng.choice(len(PATTERNS), p=[share for share, _ in PATTERNS.values()]))]
    return Fabric(
        pattern=name,
        colors=(ground, second, contrast(rng, ground)),
        period=float(np.exp(rng.uniform(np.log(6), np.log(22)))),
        width=float(rng.uniform(0.2, 0.6)),
        phase=float(rng.uniform()),
    )


def draw_print(rng: np.random.Generator, ground: Color) -> Print:
    """Some motif that shows on `ground`."""
    color = contrast(rng, ground)
    letters = sorted(LETTERS)
    return Print(
        kind=list(PRINTS)[int(rng.choice(len(PRINTS), p=[share for share, _ in PRINTS.values()]))],
        color=color,
        second=contrast(rng, color),
        size=float(rng.uniform(22, 44)),
        word="".join(letters[int(i)] for i in rng.integers(0, len(letters), int(rng.integers(2, 7)))),
        slant=float(rng.choice([0.0, 0.0, 0.25])),
        weight=float(rng.uniform(0.18, 0.4)),
    )


def paint_fabric(canvas: skia.Canvas, fabric: Fabric) -> None:
    """Cover the canvas: x = 0 is the panel's middle, y = 0 its top."""
    canvas.drawPaint(_fill(fabric.colors[0]))
    PATTERNS[fabric.pattern][1](canvas, fabric)


def paint_print(canvas: skia.Canvas, motif: Print) -> None:
    """The motif around 0, 0."""
    PRINTS[motif.kind][1](canvas, motif)
