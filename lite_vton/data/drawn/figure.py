"""A person without the garment: trunk, neck, arms, hands, legs."""

from __future__ import annotations

import numpy as np
import skia

from lite_vton.data.drawn.drape import body_frame
from lite_vton.data.drawn.palette import shaded
from lite_vton.data.drawn.person import Person
from lite_vton.data.drawn.stage import Color, Points, Stage, closed, smooth
from lite_vton.data.drawn.tube import bend, joined, profile, tube
from lite_vton.person.parse_labels import Part

__all__ = ["arm_path", "paint_arm", "paint_bare_legs", "paint_bottom", "paint_neck", "paint_trunk"]


def paint_trunk(stage: Stage, person: Person) -> skia.Path:
    """The bare trunk; returns its outline."""
    frame = body_frame(person)
    right = [(0.32, -0.03), (0.66, 0.018), (0.88, 0.042), (0.97, 0.07), (1.0, 0.13), (0.97, 0.24), (1.0, 0.34)]
    right += [(1.0, v) for v in np.linspace(0.42, 1.2, 9).tolist()]
    outline = np.array(right)
    path = closed(frame.at(np.vstack([outline, outline[::-1] * (-1, 1)])))
    uv = np.stack(np.meshgrid(np.linspace(-1.02, 1.02, 15), np.linspace(-0.06, 1.25, 20)), axis=-1)
    stage.surface(frame.at(uv), frame.normals(uv), path, person.skin, Part.TORSO_SKIN)
    return path


def paint_neck(stage: Stage, person: Person) -> None:
    """From under the chin down to the collar bones."""
    s, w = person.size, person.widths
    t = np.linspace(0, 1, 14)
    start, end = person.head + (person.neck - person.head) * 0.3, person.neck + person.down * 1.0 * s
    line = start + (end - start) * t[:, None]
    half = profile(
        t, {0.0: w["neck"], 0.45: w["neck"], 0.72: w["neck"] * 1.15, 0.9: w["neck"] * 1.9, 1.0: w["neck"] * 2.3}
    )
    part = tube(line, half, bulge=0.75)
    stage.surface(part.points, part.normals, part.outline, person.skin, Part.TORSO_SKIN)
    chin = person.head + (person.neck - person.head) * 0.62
    stage.shadow(
        skia.Path.Oval(skia.Rect.MakeXYWH(chin[0] - 16 * s, chin[1] - 9 * s, 32 * s, 17 * s)), 0.45, 3 * s, part.outline
    )
    for side in (-1, 1):
        bone = [person.neck + np.array([side * x, y]) * s for x, y in ((3, 3.5), (10, 1.5), (20, 1.0))]
        stage.shadow(smooth(np.array(bone)), 0.22, 0.8 * s, stroke=1.2 * s)


def arm_path(person: Person, side: int) -> skia.Path:
    """Middle line of an arm (0 = the person's right)."""
    return smooth(np.array([person.shoulders[side], person.elbows[side], person.wrists[side]]))


def paint_arm(stage: Stage, person: Person, side: int) -> None:
    """Arm and hand; `side` 0 is the person's right."""
    label = (Part.RIGHT_ARM, Part.LEFT_ARM)[side]
    w, s = person.widths, person.size
    shoulder, elbow, wrist = person.shoulders[side], person.elbows[side], person.wrists[side]
    t = np.linspace(0, 1, 25)
    line = bend(shoulder, elbow, wrist, 25)
    half = profile(
        t,
        {
            0.0: w["arm"] * 0.82,
            0.12: w["arm"] * 1.06,
            0.3: w["arm"],
            0.52: w["arm"] * 0.84,
            0.68: w["arm"] * 0.82,
            1.0: w["wrist"],
        },
    )
    part = joined(tube(line, half, caps=(True, False)), 1 - 2 * side, 12)
    stage.surface(part.points, part.normals, part.outline, person.skin, label)

    along = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    # Thumbs point towards the body's middle when an arm hangs, and up when it is bent across.
    across = np.array([along[1], -along[0]]) * (1 if side == 0 else -1)
    # Hanging hands relax towards the vertical.
    direction = along + 0.25 * np.array([0.0, 1.0]) * max(0.0, along[1])
    direction = direction / np.linalg.norm(direction)
    size = w["wrist"] / 4.7
    thumb = bend(
        wrist + direction * 3 * size, wrist + direction * 9 * size + across * 7.5 * size,
        wrist + direction * 17 * size + across * 8 * size, 8,
    )  # fmt: skip
    part = tube(thumb, np.interp(np.linspace(0, 1, 8), [0, 1], [2.9, 1.9]) * size, columns=5, caps=(False, True))
    stage.surface(part.points, part.normals, part.outline, person.skin, label)
    t = np.linspace(0, 1, 16)
    line = wrist - direction * 2 * size + direction * (t * 31 * size)[:, None]
    line = line + across * (np.sin(t * 2.2) * 1.2 * size)[:, None]
    half = profile(t, {0.0: 4.8, 0.25: 7.0, 0.5: 7.6, 0.78: 6.4, 1.0: 3.6}) * size
    part = tube(line, half, columns=7, caps=(False, True), bulge=0.75)
    stage.surface(part.points, part.normals, part.outline, person.skin, label)
    for finger in (-0.5, 0.0, 0.5):
        spread = [line[row] + across * finger * half[row] for row in (9, 12, 15)]
        stage.fill(smooth(np.array(spread)), shaded(person.skin, 0.62), None, 0.55, stroke=0.7 * s)


def paint_bare_legs(stage: Stage, person: Person) -> None:
    """What shows below a dress."""
    _paint_legs(stage, person, person.skin, (Part.RIGHT_LEG, Part.LEFT_LEG), 0.82)


def _paint_legs(stage: Stage, person: Person, color: Color, labels: tuple[Part, Part], width: float) -> None:
    for side in (0, 1):
        start = person.hips[side] + np.array([(1 - side * 2) * 2.0, 2]) * person.size
        knee, ankle = person.joints[9 + 3 * side], person.joints[10 + 3 * side]
        half = np.linspace(1, 0.62, 18) * person.widths["leg"] * width
        part = tube(bend(start, knee, ankle, 18), half, caps=(True, False))
        stage.surface(part.points, part.normals, part.outline, color, labels[side])


def paint_bottom(stage: Stage, person: Person) -> None:
    """Trousers or skirt, from the waist."""
    frame = body_frame(person)
    waist = 0.8 if person.tucked else 0.86
    if person.bottom == "skirt":
        right = np.array([(1.03, waist), (1.06, 1.05), (1.24, 2.0), (1.3, 3.2)])
        uv = np.vstack([right, right[::-1] * np.array([-1.0, 1.0])])
        mesh = np.stack(np.meshgrid(np.linspace(-1.32, 1.32, 13), np.linspace(waist - 0.02, 3.25, 24)), axis=-1)
        normals = frame.normals(mesh / (1.2, 1))
        stage.surface(frame.at(mesh), normals, closed(frame.at(uv)), person.bottom_color, Part.SKIRT)
        return
    _paint_legs(stage, person, person.bottom_color, (Part.TROUSERS, Part.TROUSERS), 1.0)
    uv = np.array(
        [
            (-1.03, waist),
            (1.03, waist),
            (1.05, 1.0),
            (1.04, 1.12),
            (0.3, 1.22),
            (0, 1.26),
            (-0.3, 1.22),
            (-1.04, 1.12),
            (-1.05, 1.0),
        ]
    )
    mesh = np.stack(np.meshgrid(np.linspace(-1.08, 1.08, 13), np.linspace(waist - 0.02, 1.3, 10)), axis=-1)
    stage.surface(frame.at(mesh), frame.normals(mesh), closed(frame.at(uv)), person.bottom_color, Part.TROUSERS)
    for fork in (-0.25, 0.25):
        crease = frame.at(np.array([(0.0, 1.2), (fork, 1.12), (fork * 2.4, 1.08)]))
        stage.shadow(smooth(crease), 0.3, 1.2, stroke=1.5)
    seam = frame.at(np.array([(0.0, waist), (0.02, 1.1), (0.0, 1.25)]))
    stage.fill(smooth(seam), shaded(person.bottom_color, 0.6), None, 0.8, stroke=0.7)
    band: Points = frame.at(np.array([(-1.03, waist + 0.05), (0, waist + 0.06), (1.03, waist + 0.05)]))
    stage.fill(smooth(band), shaded(person.bottom_color, 0.65), None, 0.8, stroke=0.7)
