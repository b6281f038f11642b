"""Head, face and hair."""

from __future__ import annotations

import numpy as np
import skia

from lite_vton.data.drawn.palette import luminance, shaded
from lite_vton.data.drawn.person import Person
from lite_vton.data.drawn.stage import Points, Stage, closed, smooth
from lite_vton.data.drawn.tube import bend, profile, tube
from lite_vton.person.parse_labels import Part

__all__ = ["paint_back_hair", "paint_hair", "paint_head"]


class _Face:
    """Head coordinates: x right, y down, in frame units around the head's middle, tilted with it."""

    def __init__(self, person: Person) -> None:
        self._person = person
        c, s = np.cos(person.tilt), np.sin(person.tilt)
        self._rotation = np.array([[c, s], [-s, c]]) * person.size

    def at(self, *points: tuple[float, float]) -> Points:
        return np.asarray(self._person.head + np.array(points, float) @ self._rotation)

    def oval(self, x: float, y: float, rx: float, ry: float) -> skia.Path:
        turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        return closed(self.at(*zip((x + rx * np.cos(turn)).tolist(), (y + ry * np.sin(turn)).tolist(), strict=True)))


# Half width of a head from its crown (0) to its chin (1).
_HEAD = {0.0: 0.0, 0.03: 7.5, 0.1: 13.0, 0.25: 18.3, 0.42: 20.0, 0.6: 19.2, 0.76: 15.8, 0.9: 10.6, 0.97: 6.2, 1.0: 0.0}
_TOP, _CHIN = -28.0, 28.0


def paint_back_hair(stage: Stage, person: Person) -> None:
    """What hangs behind neck and shoulders."""
    hair = person.hair
    if hair.length < 0.85:
        return
    face = _Face(person)
    bottom = 6 + 32 * hair.length
    wide = 21 * hair.volume + 2
    line = face.at((0, -24), (0, bottom))
    t = np.linspace(0, 1, 16)
    middle = line[0] + (line[1] - line[0]) * t[:, None]
    half = profile(t, {0.0: 10, 0.2: wide, 0.5: wide + 2, 0.8: wide + 3.5, 1.0: wide}) * person.size
    part = tube(middle, half, bulge=0.8, caps=(True, False))
    stage.surface(part.points, part.normals, part.outline, shaded(hair.color, 0.75), Part.HAIR)
    _strands(
        stage,
        person,
        [[(x * wide, -10), (x * (wide + 2), bottom * 0.5), (x * wide, bottom)] for x in np.linspace(-0.9, 0.9, 9)],
    )


def paint_head(stage: Stage, person: Person) -> None:
    """Head and face."""
    face = _Face(person)
    skin, s, turn = person.skin, person.size, person.turn
    dark = luminance(skin)
    for side in (-1, 1):
        ear = face.oval(side * 20.0, 1, 3.2, 6.5)
        stage.fill(ear, shaded(skin, 0.86), Part.FACE)
    t = np.concatenate([np.linspace(0, 0.12, 7)[:-1], np.linspace(0.12, 0.88, 15), np.linspace(0.88, 1, 7)[1:]])
    middle = face.at(*[(0.0, _TOP + (_CHIN - _TOP) * x) for x in t.tolist()])
    part = tube(middle, profile(t, _HEAD) * s, columns=13, bulge=0.88, facing=(t - 0.5) * 0.9)
    stage.surface(part.points, part.normals, part.outline, skin, Part.FACE)

    shift = turn * 3.5
    for side in (-1, 1):
        x = side * 8.2 + shift
        stage.shadow(face.oval(x, -1.2, 5.5, 3.5), 0.16, 1.6 * s, part.outline)
        stage.fill(face.oval(x, 0, 3.9, 2.0), (0.96, 0.95, 0.94))
        stage.fill(face.oval(x + turn * 0.7, -0.1, 1.85, 1.95), person.iris)
        stage.fill(face.oval(x + turn * 0.7, -0.1, 0.9, 0.95), (0.03, 0.03, 0.03))
        stage.fill(face.oval(x + turn * 0.7 + 0.6, -0.7, 0.45, 0.45), (1, 1, 1))
        lid = smooth(face.at((x - 4.2, 0.4), (x - 1.5, -1.9), (x + 1.5, -1.9), (x + 4.2, 0.4)))
        stage.fill(lid, (0.12, 0.08, 0.07), None, 0.9, stroke=0.9 * s)
        stage.fill(
            smooth(face.at((x - 3.4, 1.4), (x, 2.3), (x + 3.4, 1.4))), shaded(skin, 0.6), None, 0.5, stroke=0.6 * s
        )
        brow = smooth(face.at((x - side * 4.2, -5.4), (x + side * 0.5, -7.0), (x + side * 5.0, -5.2)))
        color = shaded(person.hair.color, 0.7) if person.hair.length else shaded(skin, 0.4)
        stage.fill(brow, color, None, 0.85, stroke=1.5 * s)
        stage.shadow(face.oval(side * 13 + shift, 9, 4.5, 5), 0.07, 2.5 * s, part.outline)
        stage.fill(face.oval(side * 11.5 + shift, 8.5, 4, 3), person.lips, None, 0.08 + 0.08 * dark)
        stage.fill(face.oval(side * 2.0 + shift * 1.3, 10.6, 1.0, 0.6), shaded(skin, 0.45), None, 0.7)
    nose = smooth(
        face.at((1.8 + shift, -1), (2.6 + shift * 1.3, 5), (3.6 + shift * 1.4, 9.4), (1.2 + shift * 1.3, 11.2))
    )
    stage.shadow(nose, 0.3, 0.7 * s, stroke=1.1 * s)
    stage.shadow(face.oval(shift * 1.3, 12.2, 3.6, 1.0), 0.25, 0.9 * s)
    stage.fill(face.oval(shift * 1.3, 8.3, 1.5, 1.5), shaded(skin, 1.15), None, 0.5)
    m = shift
    mouth = [(m - 6.2, 16.6), (m - 2.2, 15.0), (m, 15.6), (m + 2.2, 15.0), (m + 6.2, 16.6)]
    upper = smooth(face.at(*mouth, (m + 2.4, 17.1), (m, 17.0), (m - 2.4, 17.1)), close=True)
    lower = smooth(
        face.at((m - 6.0, 16.7), (m, 17.0), (m + 6.0, 16.7), (m + 2.8, 19.6), (m, 20.1), (m - 2.8, 19.6)), close=True
    )
    stage.fill(upper, shaded(person.lips, 0.82))
    stage.fill(lower, person.lips)
    stage.fill(
        smooth(face.at((m - 6.0, 16.7), (m, 17.1), (m + 6.0, 16.7))),
        shaded(person.lips, 0.5),
        None,
        0.8,
        stroke=0.6 * s,
    )
    stage.shadow(face.oval(m, 22.0, 4, 0.9), 0.2, 0.9 * s)
    if person.beard:
        jaw = [(-19.4, 4), (-17.0, 15), (-9.5, 26), (0, 28.6), (9.5, 26), (17.0, 15), (19.4, 4), (14, 11)]
        jaw += [(7.5 + m * 0.5, 13), (m, 12.4), (-7.5 + m * 0.5, 13), (-14, 11)]
        beard = smooth(face.at(*jaw), close=True)
        holes = skia.Op(beard, smooth(face.at(*mouth, (m, 20.6)), close=True), skia.PathOp.kDifference_PathOp)
        stage.fill(holes or beard, shaded(person.hair.color, 0.8), None, person.beard * 0.85)


def paint_hair(stage: Stage, person: Person) -> None:
    """Hair over forehead and temples, and what falls over the shoulders."""
    hair = person.hair
    if hair.length <= 0:
        return
    face = _Face(person)
    thick = 1.5 + 4.5 * (hair.volume - 0.8) + (1.5 if hair.length > 0.6 else 0)
    low = {True: 14.0, False: 2.0 + 3 * hair.length}[hair.length > 0.85]
    side_hair = 19.5 if hair.length > 0.85 else 20.0
    outer = [(-side_hair - thick * 0.6, low), (-20.6 - thick, -8), (-15.5 - thick * 0.7, -22 - thick), (0, -29 - thick)]
    outer += [(15.5 + thick * 0.7, -22 - thick), (20.6 + thick, -8), (side_hair + thick * 0.6, low)]
    part = hair.parting * 12
    line = -17.5 + 7 * hair.fringe * (hair.length > 0.4)
    inner = [(18.6, low - 2), (17.4, -6), (13 + part * 0.2, line + 2.5), (part, line - 2.5 + 3 * hair.fringe)]
    inner += [(-13 + part * 0.2, line + 2.5), (-17.4, -6), (-18.6, low - 2)]
    path = smooth(face.at(*outer, *inner), close=True)
    stage.shadow(path, 0.28, 1.6 * person.size)
    t = np.linspace(0, 1, 14)
    middle = face.at(*[(0.0, -36 + 54 * x) for x in t.tolist()])
    mesh = tube(middle, np.full(14, 29.0) * person.size, bulge=0.9, facing=np.linspace(-0.55, 0.1, 14))
    stage.surface(mesh.points, mesh.normals, path, hair.color, Part.HAIR)
    fans = [
        [(part * 0.8, -29 - thick), (x * 15, -24 - thick * 0.6 + 5 * abs(x)), (x * 20.5, -12 + 12 * abs(x))]
        for x in np.linspace(-1, 1, 15).tolist()
    ]
    stage.color.save()
    stage.color.clipPath(path, skia.ClipOp.kIntersect, True)
    _strands(stage, person, fans)
    stage.color.restore()
    for side, over in zip((-1, 1), hair.over_shoulder, strict=True):
        if not over:
            continue
        bottom = 12 + 36 * (hair.length - 0.3)
        lock = bend(
            face.at((side * 20, -6))[0], face.at((side * (24 + thick), 26))[0], face.at((side * 23, bottom))[0], 16, 0.5
        )
        half = profile(np.linspace(0, 1, 16), {0.0: 3, 0.3: 6, 0.7: 7.5, 1.0: 3}) * person.size * hair.volume
        strand = tube(lock, half, columns=7, caps=(True, True))
        stage.shadow(strand.outline, 0.3, 2.0 * person.size)
        stage.surface(strand.points, strand.normals, strand.outline, hair.color, Part.HAIR)
        for offset in (-0.5, 0.0, 0.5):
            inside = lock + np.array([1.0, 0.0]) * (offset * half)[:, None]
            stage.fill(
                smooth(inside[::3]), shaded(hair.color, 1.35 if offset else 0.7), None, 0.4, stroke=0.8 * person.size
            )


def _strands(stage: Stage, person: Person, lines: list[list[tuple[float, float]]]) -> None:
    face = _Face(person)
    for index, line in enumerate(lines):
        color = shaded(person.hair.color, (1.5, 0.65, 1.2)[index % 3])
        stage.fill(smooth(face.at(*line)), color, None, 0.35, stroke=1.0 * person.size)
