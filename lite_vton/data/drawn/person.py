"""Who stands there: proportions, pose, skin, hair, and what is worn below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lite_vton.data.drawn.palette import any_color, hair_color, shaded, skin_tone
from lite_vton.data.drawn.stage import Color, Points

__all__ = ["ARMS", "Hair", "Person", "draw_person"]


@dataclass(frozen=True)
class Hair:
    """Colour and cut: `length` 0 = bald, 0.3 = short, 1 = to the chin, 2 = to the chest."""

    color: Color
    length: float
    volume: float
    parting: float
    fringe: float
    over_shoulder: tuple[bool, bool]


@dataclass(frozen=True)
class Person:
    """Lengths in frame units; the person's right side stands at the picture's left."""

    size: float
    neck: Points
    shoulders: tuple[Points, Points]
    elbows: tuple[Points, Points]
    wrists: tuple[Points, Points]
    hips: tuple[Points, Points]
    head: Points
    tilt: float
    turn: float
    widths: dict[str, float]
    skin: Color
    lips: Color
    iris: Color
    hair: Hair
    beard: float
    bottom: str
    bottom_color: Color
    tucked: bool

    @cached_property
    def hip(self) -> Points:
        """Middle of the hips."""
        return np.asarray((self.hips[0] + self.hips[1]) / 2)

    @cached_property
    def down(self) -> Points:
        """Unit vector along the spine."""
        spine = self.hip - self.neck
        return np.asarray(spine / np.linalg.norm(spine))

    @cached_property
    def joints(self) -> Points:
        """(18, 2) OpenPose joints; those below the picture are where they would be."""
        eye = self.head + np.array([self.turn * 6, -1]) * self.size
        side, up = self._head_axes()
        knee = [h + np.array([s * 2.0, 100 * self.size]) for h, s in zip(self.hips, (-1, 1), strict=True)]
        ankle = [k + np.array([0.0, 95 * self.size]) for k in knee]
        (sr, sl), (er, el), (wr, wl), (hr, hl) = self.shoulders, self.elbows, self.wrists, self.hips
        s = self.size
        return np.array(
            [
                eye + side * self.turn * 3 * s - up * 8 * s, self.neck,
                sr, er, wr, sl, el, wl,
                hr, knee[0], ankle[0], hl, knee[1], ankle[1],
                eye - side * 8 * s, eye + side * 8 * s,
                self.head - side * 20.5 * s - up * 3 * s, self.head + side * 20.5 * s - up * 3 * s,
            ]
        )  # fmt: skip

    def _head_axes(self) -> tuple[Points, Points]:
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        return np.array([c, s]), np.array([s, -c])


Arm = Callable[[np.random.Generator], tuple[float, float, float, float]]
"""Degrees of upper arm and forearm from hanging down (positive = outwards), and their foreshortening."""

ARMS: dict[str, tuple[float, Arm]] = {
    "down": (0.36, lambda r: (r.uniform(5, 13), r.uniform(-4, 9), 1.0, 1.0)),
    "away": (0.14, lambda r: (r.uniform(15, 34), r.uniform(5, 32), 1.0, 1.0)),
    "hip": (0.17, lambda r: (r.uniform(36, 50), r.uniform(-62, -46), r.uniform(0.88, 1.0), r.uniform(0.85, 0.95))),
    "bent": (0.10, lambda r: (r.uniform(4, 14), r.uniform(-130, -85), r.uniform(0.85, 1.0), r.uniform(0.7, 0.95))),
    "front": (0.15, lambda r: (r.uniform(6, 16), r.uniform(-70, -35), r.uniform(0.9, 1.0), r.uniform(0.75, 1.0))),
    "up": (0.08, lambda r: (r.uniform(14, 30), r.uniform(130, 168), r.uniform(0.75, 1.0), r.uniform(0.7, 0.9))),
}
"""How an arm is held: its share, and what draws its angles."""


def draw_person(rng: np.random.Generator) -> Person:
    """A person nobody is; everything follows from `rng`."""
    # Framed as a try-on frames a photo; arms held wide make the person smaller.
    s = float(rng.uniform(0.72, 0.88) if rng.uniform() < 0.15 else rng.uniform(0.87, 1.12))
    slender, stout = float(rng.uniform()), float(rng.beta(1.6, 3.0))
    turn = float(rng.uniform(-1, 1)) * (0.9 if rng.uniform() < 0.4 else 0.35)
    squeeze = 1 - 0.14 * abs(turn)
    neck = np.array([96 + rng.normal(0, 4), 24 + 70 * s + rng.uniform(-5, 7)])
    lean, drop = np.deg2rad(rng.normal(0, 2.2)), np.deg2rad(rng.normal(0, 2.2))
    down = np.array([np.sin(lean), np.cos(lean)])
    hip = neck + down * s * rng.uniform(103, 113)
    across = np.array([np.cos(drop), np.sin(drop)])
    shoulder = s * squeeze * (36.5 - 4.0 * slender + 2 * stout)
    shoulders = (neck - across * shoulder, neck + across * shoulder)
    level = np.array([np.cos(drop / 2), -np.sin(drop / 2)])
    wide = s * squeeze * (33.5 + 2.5 * slender + 3.5 * stout)
    hips = (hip - level * 0.59 * wide, hip + level * 0.59 * wide)
    names = list(ARMS)
    shares = np.array([share for share, _ in ARMS.values()])
    first = names[int(rng.choice(len(names), p=shares))]
    same = rng.uniform() < 0.5
    second = first if same and first != "bent" else names[int(rng.choice(len(names), p=shares))]
    upper, fore = s * rng.uniform(57, 62), s * rng.uniform(49, 54)
    elbows, wrists = [], []
    for side, start, kind in zip((-1, 1), shoulders, (first, second), strict=True):
        a, b, long_a, long_b = ARMS[kind][1](rng)
        elbow = start + _direction(side, a) * upper * long_a
        elbows.append(elbow)
        wrists.append(elbow + _direction(side, b) * fore * long_b)
    skin = skin_tone(rng)
    tilt = float(np.deg2rad(rng.normal(0, 3.5)))
    head = neck + np.array([np.sin(tilt) * 34 + turn * 2.5, -44.5]) * s
    long_hair = rng.uniform() < 0.25 + 0.6 * slender
    length = float(rng.uniform(0.9, 2.1) if long_hair else rng.choice([0.0, 0.3, 0.5, 0.7], p=[0.1, 0.3, 0.35, 0.25]))
    loose = length > 1.3
    hair = Hair(
        color=hair_color(rng),
        length=length,
        volume=float(rng.uniform(0.9, 1.25)),
        parting=float(rng.uniform(-0.6, 0.6)),
        fringe=float(rng.uniform(0, 1)),
        over_shoulder=(bool(loose and rng.uniform() < 0.55), bool(loose and rng.uniform() < 0.55)),
    )
    red = (min(1.0, skin[0] * 0.85 + 0.08), skin[1] * 0.62, skin[2] * 0.66)
    return Person(
        size=s,
        neck=neck,
        shoulders=shoulders,
        elbows=(elbows[0], elbows[1]),
        wrists=(wrists[0], wrists[1]),
        hips=hips,
        head=head,
        tilt=tilt,
        turn=turn,
        widths={
            "shoulder": shoulder + 2.5 * s,
            "chest": s * squeeze * (33.5 - 2.5 * slender + 4 * stout),
            "waist": s * squeeze * (29.5 - 4.5 * slender + 8 * stout),
            "hip": wide,
            "arm": s * (8.6 - 1.4 * slender + 2.2 * stout),
            "wrist": s * (4.9 - 0.5 * slender + 0.4 * stout),
            "neck": s * (11.6 - 2.6 * slender + 1.6 * stout),
            "leg": s * (17.5 + 3 * stout),
        },
        skin=skin,
        lips=red,
        iris=[(0.24, 0.15, 0.09), (0.33, 0.42, 0.5), (0.3, 0.36, 0.2), (0.12, 0.08, 0.06)][int(rng.integers(4))],
        hair=hair,
        beard=float(rng.uniform(0.25, 0.9)) if slender < 0.45 and rng.uniform() < 0.35 else 0.0,
        bottom=str(rng.choice(["trousers", "skirt"], p=[0.8, 0.2])),
        bottom_color=shaded(any_color(rng), float(rng.uniform(0.5, 1.0))),
        tucked=bool(rng.uniform() < 0.3),
    )


def _direction(side: int, degrees: float) -> Points:
    angle = np.deg2rad(degrees)
    return np.array([side * np.sin(angle), np.cos(angle)])
