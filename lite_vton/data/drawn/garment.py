"""What is worn: one description, cut into panels that lie flat or follow a body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import skia

from lite_vton.data.drawn.fabric import Fabric, Print, draw_fabric, draw_print, paint_fabric, paint_print
from lite_vton.data.drawn.palette import contrast, shaded
from lite_vton.data.drawn.stage import Color, Points

__all__ = [
    "CUTS",
    "PANEL_LENGTH",
    "PANEL_WIDTH",
    "SLEEVE_CLOTH",
    "Cut",
    "Garment",
    "Texture",
    "body_outline",
    "draw_garment",
    "neckline",
    "sleeve_length",
]

PANEL_WIDTH, PANEL_LENGTH = 38.0, 116.0
"""Frame units of cloth that one unit of a panel's u (from the middle out) and v (shoulder to hip) stand for."""

SLEEVE_CLOTH = (8.6, 5.2)
"""Half widths of the arm and wrist that sleeves are cut for, in units of cloth."""

Category = Literal["upper", "dress"]


@dataclass(frozen=True)
class Cut:
    """Ranges that make a kind of garment. `sleeve` is the part of the arm covered, `hem` in torso lengths."""

    share: float
    category: Category
    necklines: tuple[str, ...]
    sleeve: tuple[float, float]
    hem: tuple[float, float]
    loose: tuple[float, float]
    collar: bool = False
    placket: float = 0.0
    motif: float = 0.0


CUTS: dict[str, Cut] = {
    "t-shirt": Cut(0.34, "upper", ("round", "round", "v", "scoop"), (0.2, 0.34), (0.98, 1.16), (0.0, 1.0), motif=0.5),
    "long sleeve": Cut(
        0.22, "upper", ("round", "round", "v", "high"), (0.9, 1.0), (0.96, 1.15), (0.0, 1.0), motif=0.35
    ),
    "vest": Cut(0.13, "upper", ("scoop", "round", "v"), (0.0, 0.0), (0.95, 1.08), (0.0, 0.7), motif=0.25),
    "polo": Cut(0.08, "upper", ("polo",), (0.22, 0.34), (1.0, 1.1), (0.2, 0.8), True, 0.3),
    "shirt": Cut(0.13, "upper", ("polo",), (0.25, 1.0), (1.0, 1.14), (0.2, 1.0), True, 2.0),
    "dress": Cut(0.10, "dress", ("round", "v", "scoop"), (0.0, 0.4), (1.75, 2.1), (0.0, 0.5)),
}
"""Kinds of garment and how often each appears."""


@dataclass(frozen=True)
class Garment:
    """One piece of clothing, in panel units (u, v): u = 1 at the side seam, v = 0 at the neck, 1 at the hips."""

    kind: str
    category: Category
    fabric: Fabric
    neck: str
    neck_width: float
    neck_depth: float
    sleeve: float
    sleeve_ease: float
    hem: float
    loose: float
    flare: float
    collar: bool
    placket: float
    trim: Color
    cuff: float
    motif: Print | None
    motif_v: float
    sheen: float

    @property
    def color(self) -> Color:
        """The ground colour."""
        return self.fabric.colors[0]


def draw_garment(rng: np.random.Generator) -> Garment:
    """Some garment; everything follows from `rng`."""
    names = list(CUTS)
    kind = names[int(rng.choice(len(names), p=[cut.share for cut in CUTS.values()]))]
    cut = CUTS[kind]
    fabric = draw_fabric(rng)
    neck = cut.necklines[int(rng.integers(len(cut.necklines)))]
    low, high = {
        "round": (0.13, 0.18), "v": (0.2, 0.3), "scoop": (0.2, 0.28), "high": (0.07, 0.1), "polo": (0.15, 0.19)
    }[neck]  # fmt: skip
    sleeve = float(rng.uniform(*cut.sleeve))
    if kind == "shirt":
        sleeve = float(rng.choice([rng.uniform(0.25, 0.36), rng.uniform(0.9, 1.0)], p=[0.35, 0.65]))
    if kind == "dress" and sleeve < 0.18:
        sleeve = 0.0
    own = rng.uniform() < 0.6
    motif = (
        draw_print(rng, fabric.colors[0])
        if rng.uniform() < cut.motif and fabric.pattern in ("plain", "block")
        else None
    )
    return Garment(
        kind=kind,
        category=cut.category,
        fabric=fabric,
        neck=neck,
        neck_width=float(rng.uniform(0.34, 0.4) if neck in ("polo", "high", "round") else rng.uniform(0.38, 0.5)),
        neck_depth=float(rng.uniform(low, high)),
        sleeve=sleeve,
        sleeve_ease=float(rng.uniform(1.04, 1.42)),
        hem=float(rng.uniform(*cut.hem)),
        loose=float(rng.uniform(*cut.loose)),
        flare=float(rng.uniform(0.0, 0.2)) if kind == "dress" else float(rng.uniform(-0.02, 0.06)),
        collar=cut.collar,
        placket=cut.placket,
        trim=shaded(fabric.colors[0], float(rng.uniform(0.82, 0.95))) if own else contrast(rng, fabric.colors[0]),
        cuff=float(rng.uniform(2.0, 5.0)),
        motif=motif,
        motif_v=float(rng.uniform(0.36, 0.5)),
        sheen=float(rng.uniform(0.6, 1.2)),
    )


def neckline(garment: Garment) -> Points:
    """(N, 2) u, v of the front neckline, from the wearer's right to the left (picture left to right)."""
    t = np.linspace(-1, 1, 25)
    power = {"v": 1.15, "polo": 1.1}.get(garment.neck, 2.6)
    v = garment.neck_depth * (1 - np.abs(t) ** power)
    if garment.neck not in ("v", "polo"):
        v = garment.neck_depth * np.sqrt(np.maximum(1 - t**2, 0)) ** 1.1
    points = np.stack([t * garment.neck_width, v - 0.02], axis=1)
    return np.asarray(points)


def sleeve_length(garment: Garment) -> float:
    """Of the cloth, from the shoulder point to the cuff, in units of cloth."""
    return 14 + 96 * garment.sleeve


def body_outline(garment: Garment) -> Points:
    """(N, 2) u, v of the body panel: neckline, shoulder, armhole, side seam, hem."""
    h = garment.hem
    if garment.sleeve:
        side = [(0.7, 0.012), (0.88, 0.032), (0.97, 0.06), (1.0, 0.11), (0.98, 0.2), (0.985, 0.28), (1.0, 0.36)]
    else:
        tip = max(0.62, garment.neck_width + 0.2)
        side = [(tip, 0.008), (tip - 0.01, 0.12), (tip + 0.02, 0.2), (tip + 0.13, 0.28), (0.97, 0.34), (1.0, 0.38)]
    lower = [(1.0, v) for v in np.linspace(0.42, h, 10).tolist()]
    right = np.array([*side, *lower, (0.6, h + 0.012), (0.2, h + 0.018)])
    left = right[::-1] * (-1, 1)
    return np.asarray(np.vstack([neckline(garment), right, left]))


@dataclass(frozen=True)
class Texture:
    """A panel's cloth as an image, and where its (u, v) lie in it."""

    image: skia.Image
    origin: tuple[float, float]
    scale: tuple[float, float]

    def at(self, uv: Points) -> Points:
        """(..., 2) pixel positions of panel positions (..., 2)."""
        return np.asarray((uv - np.asarray(self.origin)) * np.asarray(self.scale))

    @classmethod
    def body(cls, garment: Garment, resolution: float) -> Texture:
        """The front panel; `resolution` in pixels per frame unit."""
        size = (2.3 * PANEL_WIDTH, (garment.hem + 0.16) * PANEL_LENGTH)
        pixels, canvas = _canvas(size, resolution)
        canvas.translate(1.15 * PANEL_WIDTH, 0.08 * PANEL_LENGTH)
        paint_fabric(canvas, garment.fabric)
        if garment.motif is not None:
            canvas.save()
            canvas.translate(0, garment.motif_v * PANEL_LENGTH)
            paint_print(canvas, garment.motif)
            canvas.restore()
        _finish(canvas, garment)
        return cls(
            skia.Image.fromarray(pixels, colorType=skia.kRGBA_8888_ColorType),
            (-1.15, -0.08),
            (PANEL_WIDTH * resolution, PANEL_LENGTH * resolution),
        )

    @classmethod
    def sleeve(cls, garment: Garment, half: float, length: float, resolution: float) -> Texture:
        """A sleeve panel `half` * 2 wide and `length` long in units of cloth."""
        pixels, canvas = _canvas((2.2 * half, 1.1 * length), resolution)
        canvas.translate(1.1 * half, 0.05 * length)
        paint_fabric(canvas, garment.fabric)
        cuff = skia.Paint(Color4f=skia.Color4f(*garment.trim, 1), AntiAlias=True)
        canvas.drawRect(skia.Rect.MakeXYWH(-200, length - garment.cuff, 400, garment.cuff * 3), cuff)
        return cls(
            skia.Image.fromarray(pixels, colorType=skia.kRGBA_8888_ColorType),
            (-1.1, -0.05),
            (half * resolution, length * resolution),
        )


def _canvas(
    size: tuple[float, float], resolution: float
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], skia.Canvas]:
    shape = (max(2, int(np.ceil(size[1] * resolution))), max(2, int(np.ceil(size[0] * resolution))), 4)
    pixels = np.zeros(shape, np.uint8)
    canvas = skia.Surface(pixels, colorType=skia.kRGBA_8888_ColorType).getCanvas()
    canvas.scale(resolution, resolution)
    return pixels, canvas


def _finish(canvas: skia.Canvas, garment: Garment) -> None:
    """Neck rib, hem, placket and buttons."""
    unit = np.array([PANEL_WIDTH, PANEL_LENGTH])
    rib = skia.Path()
    rib.addPoly([skia.Point(x, y) for x, y in (neckline(garment) * unit).tolist()], False)
    line = skia.Paint(Style=skia.Paint.kStroke_Style, AntiAlias=True, StrokeWidth=garment.cuff * 1.7)
    line.setColor4f(skia.Color4f(*garment.trim, 1))
    canvas.drawPath(rib, line)
    seam = skia.Color4f(*shaded(garment.color, 0.72), 0.7)
    stitch = skia.Paint(Style=skia.Paint.kStroke_Style, AntiAlias=True, StrokeWidth=0.5, Color4f=seam)
    bottom = garment.hem * PANEL_LENGTH - 3.5
    canvas.drawLine(-200, bottom, 200, bottom + 1, stitch)
    if not garment.placket:
        return
    top = garment.neck_depth * PANEL_LENGTH - 2
    end = min(top + garment.placket * PANEL_LENGTH, garment.hem * PANEL_LENGTH + 4)
    edge = skia.Paint(Style=skia.Paint.kStroke_Style, AntiAlias=True, StrokeWidth=0.7, Color4f=seam)
    canvas.drawLine(-3.2, top, -3.2, end, edge)
    canvas.drawLine(3.2, top, 3.2, end, edge)
    button = skia.Paint(AntiAlias=True, Color4f=skia.Color4f(*contrast_button(garment.color), 1))
    for y in np.arange(top + 5, end - 2, 15.0).tolist():
        canvas.drawCircle(0, y, 1.4, button)
        canvas.drawCircle(0, y, 1.4, stitch)


def contrast_button(color: Color) -> Color:
    """Pale buttons on dark cloth, and the other way round."""
    return (0.93, 0.91, 0.86) if sum(color) < 1.6 else (0.35, 0.3, 0.28)
