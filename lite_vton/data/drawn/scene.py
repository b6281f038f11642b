"""Where it happens and how it is photographed: background, light, camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from lite_vton.data.drawn.palette import muted, shaded
from lite_vton.data.drawn.stage import FRAME_HEIGHT, FRAME_WIDTH, Color, Light, Stage

__all__ = ["BACKGROUNDS", "Camera", "draw_camera", "draw_light", "paint_background", "photograph"]


@dataclass(frozen=True)
class Camera:
    """`gains` of the channels, `gamma`, `blur` and `noise` as standard deviations in pixels and of full scale."""

    gains: Color
    gamma: float
    blur: float
    noise: float
    vignette: float


def draw_light(rng: np.random.Generator) -> Light:
    """Mostly from above and one side."""
    direction = np.array([rng.normal(0, 0.45), rng.normal(-0.3, 0.2), 1.0])
    direction /= np.linalg.norm(direction)
    x, y, z = direction.tolist()
    return Light((x, y, z), float(rng.uniform(0.35, 0.8)))


def draw_camera(rng: np.random.Generator) -> Camera:
    """Mild: what a phone would do."""
    warm = rng.normal(0, 0.03)
    return Camera(
        gains=(float(1 + warm), 1.0, float(1 - warm)),
        gamma=float(np.exp(rng.normal(0, 0.1))),
        blur=float(max(0.0, rng.uniform(-0.3, 0.6))),
        # What is left of a phone's noise once its photo is reduced to this size.
        noise=float(rng.uniform(0.0, 0.006)),
        vignette=float(rng.uniform(0.0, 0.15)),
    )


def photograph(rng: np.random.Generator, picture: NDArray[np.float32], camera: Camera) -> NDArray[np.uint8]:
    """(H, W, 3) float32 in [0, 1] to uint8, through `camera`."""
    height, width = picture.shape[:2]
    if camera.blur > 0.15:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), camera.blur * height / FRAME_HEIGHT), np.float32)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 1 - camera.vignette * (x**2 + y**2) / 2
    result = np.clip(picture, 0, 1) ** camera.gamma * np.asarray(camera.gains) * light[..., None]
    result = result + rng.normal(0, 1, result.shape) * camera.noise
    return np.asarray(np.clip(np.rint(result * 255), 0, 255), np.uint8)


def _paint(color: Color, opacity: float = 1.0, blur: float = 0.0) -> skia.Paint:
    paint = skia.Paint(Color4f=skia.Color4f(*color, opacity), AntiAlias=True)
    if blur:
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
    return paint


def _gradient(rng: np.random.Generator, first: Color, second: Color) -> skia.Paint:
    turn = rng.uniform(0, 2 * np.pi)
    x, y = float(np.cos(turn)) * 110, float(np.sin(turn)) * 130
    middle = (FRAME_WIDTH / 2, FRAME_HEIGHT / 2)
    ends = [skia.Point(middle[0] - x, middle[1] - y), skia.Point(middle[0] + x, middle[1] + y)]
    colors = [skia.Color4f(*first, 1).toColor(), skia.Color4f(*second, 1).toColor()]
    return skia.Paint(Shader=skia.GradientShader.MakeLinear(ends, colors))


def _studio(rng: np.random.Generator, canvas: skia.Canvas) -> None:
    base = float(rng.uniform(0.68, 0.98))
    color = (base, base * float(rng.uniform(0.97, 1.0)), base * float(rng.uniform(0.95, 1.01)))
    color = shaded(color, 1.0)
    canvas.drawPaint(_gradient(rng, color, shaded(color, float(rng.uniform(0.85, 1.0)))))


def _gradients(rng: np.random.Generator, canvas: skia.Canvas) -> None:
    first = muted(rng)
    canvas.drawPaint(_gradient(rng, first, shaded(first, float(rng.uniform(0.4, 0.9)))))


def _wall(rng: np.random.Generator, canvas: skia.Canvas) -> None:
    color = muted(rng)
    canvas.drawPaint(_gradient(rng, color, shaded(color, float(rng.uniform(0.75, 1.0)))))
    edge = shaded(color, float(rng.uniform(0.6, 0.9)))
    kind = int(rng.integers(3))
    blur = float(rng.uniform(0.3, 2.5))
    if kind == 0:  # bricks or tiles
        high, wide = float(rng.uniform(8, 22)), float(rng.uniform(18, 46))
        for row in range(int(FRAME_HEIGHT / high) + 1):
            canvas.drawRect(skia.Rect.MakeXYWH(-60, row * high, 330, 1.2), _paint(edge, 0.8, blur))
            for column in range(-2, int(FRAME_WIDTH / wide) + 3):
                x = (column + 0.5 * (row % 2)) * wide
                canvas.drawRect(skia.Rect.MakeXYWH(x, row * high, 1.2, high), _paint(edge, 0.8, blur))
    elif kind == 1:  # panels
        x = -60 + float(rng.uniform(0, 20))
        wide = float(rng.uniform(12, 40))
        while x < FRAME_WIDTH + 60:
            canvas.drawRect(skia.Rect.MakeXYWH(x, -10, 1.5, 300), _paint(edge, 0.9, blur))
            x += wide
    else:  # a floor
        y = float(rng.uniform(120, 235))
        canvas.drawRect(skia.Rect.MakeXYWH(-60, y, 330, 160), _paint(muted(rng), 1.0, blur))


def _shapes(rng: np.random.Generator, canvas: skia.Canvas) -> None:
    canvas.drawPaint(_gradient(rng, muted(rng), muted(rng)))
    blur = float(rng.uniform(1.5, 9))
    for _ in range(int(rng.integers(6, 22))):
        x, y = rng.uniform(-40, FRAME_WIDTH + 20), rng.uniform(-40, FRAME_HEIGHT)
        wide, high = np.exp(rng.uniform(np.log(6), np.log(110), 2))
        rect = skia.Rect.MakeXYWH(float(x), float(y), float(wide), float(high))
        paint = _paint(muted(rng), float(rng.uniform(0.3, 1.0)), blur)
        if rng.uniform() < 0.5:
            canvas.drawRect(rect, paint)
        else:
            canvas.drawOval(rect, paint)


def _street(rng: np.random.Generator, canvas: skia.Canvas) -> None:
    sky = (float(rng.uniform(0.55, 0.95)), float(rng.uniform(0.7, 0.95)), float(rng.uniform(0.8, 1.0)))
    canvas.drawPaint(_gradient(rng, sky, shaded(sky, 0.85)))
    blur = float(rng.uniform(1.0, 5))
    ground = float(rng.uniform(150, 230))
    x = -40.0
    while x < FRAME_WIDTH + 40:
        wide, top = float(rng.uniform(20, 60)), float(rng.uniform(-20, 110))
        color = muted(rng)
        canvas.drawRect(skia.Rect.MakeXYWH(x, top, wide, ground - top), _paint(color, 1.0, blur))
        window = shaded(color, float(rng.choice([0.5, 1.5])))
        step = float(rng.uniform(9, 16))
        for row in range(int((ground - top) / step)):
            for column in range(int(wide / step)):
                rect = skia.Rect.MakeXYWH(x + 3 + column * step, top + 4 + row * step, step * 0.5, step * 0.55)
                canvas.drawRect(rect, _paint(window, 0.8, max(1.0, blur * 0.6)))
        x += wide
    for _ in range(int(rng.integers(0, 6))):
        centre = (float(rng.uniform(-10, FRAME_WIDTH + 10)), float(rng.uniform(60, ground)))
        green = (0.15, float(rng.uniform(0.3, 0.5)), 0.14)
        canvas.drawCircle(*centre, float(rng.uniform(12, 40)), _paint(green, 0.9, blur * 2))
    grey = float(rng.uniform(0.3, 0.7))
    canvas.drawRect(skia.Rect.MakeXYWH(-60, ground, 330, 200), _paint((grey, grey, grey), 1.0, blur))


BACKGROUNDS: dict[str, tuple[float, Callable[[np.random.Generator, skia.Canvas], None]]] = {
    "studio": (0.42, _studio),
    "gradient": (0.12, _gradients),
    "wall": (0.18, _wall),
    "shapes": (0.14, _shapes),
    "street": (0.14, _street),
}
"""What stands behind a person: its share and what paints it."""


def paint_background(rng: np.random.Generator, stage: Stage) -> None:
    """Some background, over the whole picture."""
    name = list(BACKGROUNDS)[int(rng.choice(len(BACKGROUNDS), p=[share for share, _ in BACKGROUNDS.values()]))]
    BACKGROUNDS[name][1](rng, stage.color)
