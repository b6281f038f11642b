"""The same panels laid out twice: flat in the shop, and around a body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.drawn.garment import SLEEVE_CLOTH, Garment, Texture, body_outline, sleeve_length
from lite_vton.data.drawn.palette import shaded
from lite_vton.data.drawn.person import Person
from lite_vton.data.drawn.stage import Points, Stage, closed, smooth
from lite_vton.data.drawn.tube import bend, joined, profile, tube

__all__ = [
    "Frame", "Sleeve", "body_frame", "flat_frame", "flat_sleeves", "garment_frame", "lay_body", "lay_collar",
    "lay_inside", "lay_sleeve", "worn_sleeves",
]  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """Where a body panel's (u, v) go: down from `top` along `axis`, sideways by `half` widths."""

    top: Points
    axis: Points
    across: tuple[Points, Points]
    half: dict[float, float]
    turn: float
    bulge: float
    wrap: float
    """Angle in radians around which half the panel reaches; near 0 = flat."""

    def at(self, uv: Points) -> Points:
        """(..., 2) frame positions."""
        u, v = uv[..., 0], uv[..., 1]
        angle = 1e-3 + self.wrap * np.clip((v - 0.05) / 0.3, 0, 1)
        u = np.sin(np.clip(u, -1.2, 1.2) * angle) / np.sin(angle)
        u = u + self.turn * 0.13 * np.maximum(1 - u**2, 0)
        s = np.clip(v, 0, 1)[..., None]
        across = self.across[0] * (1 - s) + self.across[1] * s
        return np.asarray(self.top + v[..., None] * self.axis + across * (u * profile(v, self.half))[..., None])

    def normals(self, uv: Points) -> NDArray[np.float64]:
        """(..., 3) unit normals: flatter in front than a cylinder; the chest faces a little up."""
        u, v = np.clip(uv[..., 0], -1, 1), uv[..., 1]
        side = np.sign(u) * np.abs(u) ** 1.6 * self.bulge
        up = self.bulge * (0.35 * np.sin(np.pi * np.clip(v * 1.25, 0, 2)) - 0.5 * np.clip(0.12 - v, 0, 1) / 0.12)
        normal = np.stack([side, up, np.ones_like(side)], axis=-1)
        normal[..., 2] = np.sqrt(np.maximum(1 - side**2 - up**2, 0.05))
        return np.asarray(normal / np.linalg.norm(normal, axis=-1, keepdims=True))


@dataclass(frozen=True)
class Sleeve:
    """One sleeve's middle line (R, 2) and half widths (R,)."""

    line: Points
    half: NDArray[np.float64]

    bulge: float
    inner: int
    """Which side (sign of u) meets the body."""

    @property
    def length(self) -> float:
        """Along the line, in frame units."""
        return float(np.linalg.norm(np.diff(self.line, axis=0), axis=1).sum())


def body_frame(person: Person) -> Frame:
    """The body itself, without clothes."""
    w = person.widths
    knots = {
        -0.1: w["shoulder"], 0.12: w["shoulder"], 0.33: w["chest"], 0.68: w["waist"], 1.0: w["hip"],
        1.25: w["hip"] * 1.02,
    }  # fmt: skip
    return _frame(person, knots)


def garment_frame(person: Person, garment: Garment) -> Frame:
    """Around the body, with the ease of the garment; below the hips a dress hangs and flares."""
    w = person.widths
    straight = max(w["chest"], w["hip"] * 0.97) + 1.5
    loose = garment.loose

    def eased(body: float, ease: float) -> float:
        return (body + 0.9) * (1 - loose) + max(straight + ease, body + 0.9) * loose

    hip = max(eased(w["hip"], 1.0), w["hip"] + 0.9)
    knots = {
        -0.1: w["shoulder"] + 0.5,
        0.12: w["shoulder"] + 0.5,
        0.33: w["chest"] + 1.2 + 1.5 * loose,
        0.68: eased(w["waist"], 0.0),
        1.0: hip,
        1.2: hip * (1.02 + 0.3 * garment.flare),
        2.2: hip * (1.05 + garment.flare),
    }
    return _frame(person, knots)


def flat_frame(garment: Garment, top: Points, unit: float) -> Frame:
    """Lying on a table; `unit` is pixels of picture for a unit of cloth."""
    waist = 34.5 + 3.5 * garment.loose
    hip = 37.5 + 1.5 * garment.loose
    knots = {-0.1: 38.0, 0.12: 38.0, 0.33: 38.5, 0.68: waist, 1.0: hip, 1.2: hip * (1 + 0.3 * garment.flare)}
    knots[2.2] = hip * (1.05 + garment.flare)
    return Frame(
        top=top,
        axis=np.array([0.0, 113.0]) * unit,
        across=(np.array([1.0, 0.0]), np.array([1.0, 0.0])),
        half={v: half * unit for v, half in knots.items()},
        turn=0.0,
        bulge=0.3,
        wrap=0.0,
    )


def worn_sleeves(person: Person, garment: Garment) -> tuple[Sleeve, Sleeve]:
    """Around both arms, as far as the garment reaches."""
    return _each(lambda side: _worn_sleeve(person, garment, side))


def flat_sleeves(garment: Garment, frame: Frame, unit: float, angle: float) -> tuple[Sleeve, Sleeve]:
    """Beside the flat body panel, `angle` degrees from hanging straight down."""

    def lay(side: int) -> Sleeve:
        turn = np.deg2rad(angle)
        direction = np.array([side * np.sin(turn), np.cos(turn)])
        start = frame.at(np.array([0.83, 0.165]) * np.array([side, 1]))
        length = unit * sleeve_length(garment)
        t = np.linspace(0, 1, 21)
        return Sleeve(
            start + direction * (t * length)[:, None], unit * _sleeve_half(garment, *SLEEVE_CLOTH, t), 0.35, -side
        )

    return _each(lay)


def lay_inside(stage: Stage, garment: Garment, frame: Frame, label: int) -> None:
    """The inner back that shows through the neckline of an empty garment."""
    w = garment.neck_width
    t = np.linspace(-1, 1, 13)
    back = np.stack([t * w, -0.012 + 0.035 * (1 - t**2)], axis=1)
    front = np.stack([t[::-1] * w, garment.neck_depth * (1 - t**2) ** 0.5], axis=1)
    uv = np.vstack([back, front])
    stage.fill(closed(frame.at(uv)), shaded(garment.color, 0.62), label)


def lay_body(
    stage: Stage, garment: Garment, frame: Frame, label: int, relief: Callable[[Points], NDArray[np.float64]]
) -> None:
    """The front panel."""
    v = np.linspace(-0.05, garment.hem + 0.04, 44)
    u = np.linspace(-1.04, 1.04, 33)
    uv = np.stack(np.meshgrid(u, v), axis=-1)
    texture = Texture.body(garment, stage.scale * 1.1)
    stage.surface(
        frame.at(uv),
        frame.normals(uv),
        closed(frame.at(body_outline(garment))),
        garment.color,
        label,
        (texture.image, texture.at(uv)),
        relief(uv),
    )


def lay_sleeve(
    stage: Stage, garment: Garment, sleeve: Sleeve, label: int, relief: Callable[[Points], NDArray[np.float64]]
) -> None:
    """One sleeve, its rounded top over the shoulder."""
    part = tube(sleeve.line, sleeve.half, columns=11, bulge=sleeve.bulge, caps=(True, False))
    part = joined(part, sleeve.inner, 6 + round(5 / max(garment.sleeve, 0.3)))
    rows = part.points.shape[0]
    extra = rows - len(sleeve.line)
    # The cloth is the garment's own, wherever it lies and whoever wears it.
    cloth_half = _sleeve_half(garment, *SLEEVE_CLOTH, np.linspace(0, 1, 21))
    length = sleeve_length(garment)
    cap = float(cloth_half[0]) / length
    steps = np.sin(np.linspace(np.pi / 2, 0, extra + 1))[:-1] * cap
    v = np.concatenate([-steps, np.linspace(0, 1, len(sleeve.line))])
    uv = np.stack(np.meshgrid(np.linspace(-1, 1, 11), v), axis=-1)
    texture = Texture.sleeve(garment, float(cloth_half.mean()), length, stage.scale * 1.1)
    stage.surface(
        part.points, part.normals, part.outline, garment.color, label, (texture.image, texture.at(uv)), relief(uv)
    )


def lay_collar(stage: Stage, garment: Garment, frame: Frame, label: int, back: bool) -> None:
    """A turned-down collar: first its `back` behind the neck, later both front flaps."""
    w, d = garment.neck_width, garment.neck_depth
    if back:
        uv = np.array([(-w, 0.03), (-w * 0.95, -0.045), (0, -0.055), (w * 0.95, -0.045), (w, 0.03), (0, 0.05)])
        stage.fill(smooth(frame.at(uv), close=True), shaded(garment.color, 0.7), label)
        return
    for side in (-1, 1):
        flap = np.array(
            [
                (w * 0.9, -0.055),
                (w + 0.1, 0.0),
                (w * 0.8 + 0.08, d * 0.95),
                (w * 0.45, d * 0.97),
                (0.015, d - 0.012),
                (w * 0.62, 0.02),
            ]
        ) * np.array([side, 1.0])
        path = closed(frame.at(flap))
        stage.shadow(path, 0.25, 1.2)
        stage.fill(path, garment.color if garment.kind == "shirt" else garment.trim, label)
        stage.fill(path, shaded(garment.color, 0.6), None, 0.5, stroke=0.6)


def _each(make: Callable[[int], Sleeve]) -> tuple[Sleeve, Sleeve]:
    return make(-1), make(1)


def _frame(person: Person, half: dict[float, float]) -> Frame:
    top = person.neck - person.down * 13 * person.size
    shoulder = person.shoulders[1] - person.shoulders[0]
    hips = person.hips[1] - person.hips[0]
    return Frame(
        top=top,
        axis=person.hip - top,
        across=(shoulder / np.linalg.norm(shoulder), hips / np.linalg.norm(hips)),
        half=half,
        turn=person.turn,
        bulge=0.82,
        wrap=1.05,
    )


def _worn_sleeve(person: Person, garment: Garment, side: int) -> Sleeve:
    index = (side + 1) // 2
    shoulder, elbow, wrist = person.shoulders[index], person.elbows[index], person.wrists[index]
    whole = bend(shoulder, elbow, wrist, 61)
    reach = max(4, round(60 * (0.1 + 0.9 * garment.sleeve)))
    line = whole[: reach + 1]
    t = np.linspace(0, 1, 23)
    at = np.linspace(0, reach, 23)
    line = np.stack([np.interp(at, range(reach + 1), line[:, k]) for k in range(2)], axis=1)
    return Sleeve(line, _sleeve_half(garment, person.widths["arm"], person.widths["wrist"], t), 0.92, -side)


def _sleeve_half(garment: Garment, arm: float, wrist: float, t: NDArray[np.float64]) -> NDArray[np.float64]:
    along = t * garment.sleeve
    skin = np.interp(along, [0, 0.07, 0.14, 0.45, 1.0], [arm * 0.84, arm * 1.02, arm * 1.1, arm * 0.95, wrist])
    ease = 1 + (garment.sleeve_ease - 1) * (0.75 + 0.25 * t)
    return np.asarray(np.minimum(skin * ease + 0.7, arm * 1.4 + 2))
