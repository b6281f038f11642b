"""What everything is drawn on: colour, shading and labels side by side, lit at the end."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import skia
from numpy.typing import NDArray

__all__ = ["FRAME_HEIGHT", "FRAME_WIDTH", "Color", "Light", "Points", "Stage", "closed", "smooth"]

FRAME_WIDTH, FRAME_HEIGHT = 192.0, 256.0

Points = NDArray[np.float64]
"""(..., 2) positions x, y in frame units."""

Color = tuple[float, float, float]
"""Red, green, blue in [0, 1]."""


@dataclass(frozen=True)
class Light:
    """One directional light and what reaches the rest; a surface that faces the viewer gets about 1.0."""

    direction: tuple[float, float, float]
    """Unit vector towards the light: x right, y down, z to the viewer."""
    contrast: float
    """0 = flat, 1 = only the directional light."""

    def on(self, normals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Brightness (...) of unit normals (..., 3)."""
        toward = np.asarray(self.direction)
        lambert = np.maximum(normals @ toward, 0.0) / max(toward[2], 0.35)
        return np.asarray(1.0 - self.contrast + self.contrast * lambert)


class Stage:
    """Three canvases of one size; each draw call paints colour, its shading and its label.

    Shading is kept apart from colour because a part drawn later brings its own, while shadows fall on what
    was there before; they meet in `picture`.
    """

    def __init__(self, height: int, width: int, light: Light, supersample: int = 2) -> None:
        self.light = light
        self.scale = height / FRAME_HEIGHT * supersample
        self._supersample = supersample
        size = (height * supersample, width * supersample, 4)
        shift = (width * supersample - FRAME_WIDTH * self.scale) / 2
        self._pixels = tuple(np.zeros(size, np.uint8) for _ in range(3))
        self._surfaces = [skia.Surface(p, colorType=skia.kRGBA_8888_ColorType) for p in self._pixels]
        self.color, self.shade, self.label = (surface.getCanvas() for surface in self._surfaces)
        for canvas in (self.color, self.shade, self.label):
            canvas.translate(shift, 0)
            canvas.scale(self.scale, self.scale)
        self.color.clear(skia.ColorWHITE)
        self.shade.clear(_grey(0.5))
        self.label.clear(skia.ColorBLACK)

    def fill(
        self, path: skia.Path, color: Color, label: int | None = None, opacity: float = 1.0, stroke: float = 0.0
    ) -> None:
        """Flat colour that keeps the shading beneath: features of a face, buttons, seams."""
        paint = skia.Paint(Color4f=skia.Color4f(*color, opacity), AntiAlias=True, StrokeCap=skia.Paint.kRound_Cap)
        if stroke:
            paint.setStyle(skia.Paint.kStroke_Style)
            paint.setStrokeWidth(stroke)
        self.color.drawPath(path, paint)
        if label is not None:
            self.label.drawPath(path, skia.Paint(Color=_label(label), AntiAlias=False))

    def surface(
        self,
        points: Points,
        normals: NDArray[np.float64],
        outline: skia.Path,
        color: Color,
        label: int,
        texture: tuple[skia.Image, Points] | None = None,
        relief: NDArray[np.float64] | None = None,
    ) -> None:
        """A curved part: mesh (R, C, 2) with normals (R, C, 3), cut along `outline`.

        `texture` is an image and the mesh's (R, C, 2) pixel positions in it; `relief` (R, C) is added to the shading.
        """
        rows, columns = points.shape[:2]
        positions = [skia.Point(x, y) for x, y in points.reshape(-1, 2).tolist()]
        indices = _triangles(rows, columns)
        brightness = self.light.on(normals)
        if relief is not None:
            brightness = brightness + relief
        grey = np.clip(np.rint(brightness * 127.5), 0, 255).astype(np.int64).ravel()
        colors = (0xFF000000 + grey * 0x010101).tolist()
        triangles = skia.Vertices.VertexMode.kTriangles_VertexMode

        self.color.drawPath(outline, skia.Paint(Color4f=skia.Color4f(*color, 1.0), AntiAlias=True))
        if texture is not None:
            image, texels = texture
            shader = image.makeShader(
                skia.TileMode.kMirror, skia.TileMode.kMirror, skia.SamplingOptions(skia.FilterMode.kLinear)
            )
            mesh = skia.Vertices(
                triangles, positions, [skia.Point(x, y) for x, y in texels.reshape(-1, 2).tolist()], None, indices
            )
            self._clipped(self.color, outline, mesh, skia.Paint(Shader=shader, AntiAlias=True))
        mesh = skia.Vertices(triangles, positions, None, colors, indices)
        self.shade.drawPath(outline, skia.Paint(Color=_grey(float(np.mean(brightness)) / 2), AntiAlias=True))
        self._clipped(self.shade, outline, mesh, skia.Paint(Color=skia.ColorWHITE, AntiAlias=True))
        self.label.drawPath(outline, skia.Paint(Color=_label(label), AntiAlias=False))

    def shadow(
        self, path: skia.Path, strength: float, blur: float, on: skia.Path | None = None, stroke: float = 0.0
    ) -> None:
        """Darken what is already drawn under a blurred `path`, if given only inside `on`."""
        paint = skia.Paint(Color4f=skia.Color4f(0, 0, 0, strength), AntiAlias=True)
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
        if stroke:
            paint.setStyle(skia.Paint.kStroke_Style)
            paint.setStrokeWidth(stroke)
        self.shade.save()
        if on is not None:
            self.shade.clipPath(on, skia.ClipOp.kIntersect, True)
        self.shade.drawPath(path, paint)
        self.shade.restore()

    def picture(self) -> NDArray[np.float32]:
        """Lit picture (H, W, 3) float32 in [0, 1]."""
        color, shade = (p[..., :3].astype(np.float32) for p in self._pixels[:2])
        lit = np.clip(color * shade * (2.0 / 255 / 255), 0.0, 1.0)
        return self._down(lit)

    def labels(self) -> NDArray[np.uint8]:
        """Labels (H, W) uint8, sampled at pixel centres."""
        half = self._supersample // 2
        return np.ascontiguousarray(self._pixels[2][half :: self._supersample, half :: self._supersample, 0])

    def _down(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = (side // self._supersample for side in picture.shape[:2])
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.float32)

    @staticmethod
    def _clipped(canvas: skia.Canvas, outline: skia.Path, mesh: skia.Vertices, paint: skia.Paint) -> None:
        canvas.save()
        canvas.clipPath(outline, skia.ClipOp.kIntersect, True)
        canvas.drawVertices(mesh, paint, skia.BlendMode.kModulate)
        canvas.restore()


def closed(points: Points) -> skia.Path:
    """The polygon (N, 2) as a path."""
    path = skia.Path()
    path.addPoly([skia.Point(x, y) for x, y in np.asarray(points, float).tolist()], True)
    return path


def smooth(points: Points, close: bool = False) -> skia.Path:
    """A curve through (N, 2) points: cubic Béziers with Catmull-Rom tangents."""
    p = np.asarray(points, float)
    p = np.vstack([p[-1], p, p[:2]]) if close else np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    path = skia.Path()
    path.moveTo(*p[1].tolist())
    for before, start, end, after in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        first, second = start + (end - before) / 6, end - (after - start) / 6
        path.cubicTo(*first.tolist(), *second.tolist(), *end.tolist())
    if close:
        path.close()
    return path


def _triangles(rows: int, columns: int) -> list[int]:
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    square = np.array([0, 1, columns, 1, columns + 1, columns])
    return [int(i) for i in (corner[:, None] + square).ravel().tolist()]


def _grey(value: float) -> int:
    level = int(np.clip(round(value * 255), 0, 255))
    return 0xFF000000 + level * 0x010101


def _label(value: int) -> int:
    return 0xFF000000 + value * 0x010101
