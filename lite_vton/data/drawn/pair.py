"""One person, one garment, two pictures: worn and in the shop."""

from __future__ import annotations

import numpy as np
import skia
from numpy.typing import NDArray

from lite_vton.data.drawn.drape import (
    flat_frame,
    flat_sleeves,
    garment_frame,
    lay_body,
    lay_collar,
    lay_inside,
    lay_sleeve,
    worn_sleeves,
)
from lite_vton.data.drawn.figure import arm_path, paint_arm, paint_bare_legs, paint_bottom, paint_neck, paint_trunk
from lite_vton.data.drawn.folds import body_folds, sleeve_folds
from lite_vton.data.drawn.garment import Garment, body_outline, draw_garment
from lite_vton.data.drawn.head import paint_back_hair, paint_hair, paint_head
from lite_vton.data.drawn.person import Person, draw_person
from lite_vton.data.drawn.scene import draw_camera, draw_light, paint_background, photograph
from lite_vton.data.drawn.stage import FRAME_HEIGHT, FRAME_WIDTH, Light, Points, Stage, closed
from lite_vton.data.pair import Pair
from lite_vton.person.keypoints import Keypoints
from lite_vton.person.parse_labels import Part

__all__ = ["Pair", "draw_pair"]


def draw_pair(seed: int, index: int, height: int = 256, width: int = 192) -> Pair:
    """Pair `index` of the dataset `seed`; depends on nothing else."""
    streams = np.random.SeedSequence([seed, index]).spawn(5)
    who, what, where, folds, shop = (np.random.Generator(np.random.Philox(stream)) for stream in streams)
    person, garment = draw_person(who), draw_garment(what)
    stage = Stage(height, width, draw_light(where))
    paint_background(where, stage)
    _paint_worn(stage, person, garment, folds)
    picture = photograph(where, stage.picture(), draw_camera(where))
    cloth, cloth_mask = _draw_flat(garment, shop, height, width)
    return Pair(picture, stage.labels(), _keypoints(person, height, width), cloth, cloth_mask, garment.category)


def _paint_worn(stage: Stage, person: Person, garment: Garment, rng: np.random.Generator) -> None:
    label = Part.DRESS if garment.category == "dress" else Part.UPPER_CLOTHES
    frame = garment_frame(person, garment)
    outline = closed(frame.at(body_outline(garment)))
    dress = garment.category == "dress"
    cast = skia.Path(outline)
    cast.offset(-stage.light.direction[0] * 12, 3)
    stage.shadow(cast, float(rng.uniform(0, 0.35)), float(rng.uniform(4, 9)))
    paint_back_hair(stage, person)

    trunk = paint_trunk(stage, person)
    if dress:
        paint_bare_legs(stage, person)
    else:
        paint_bottom(stage, person)
    if garment.collar:
        lay_collar(stage, garment, frame, label, back=True)
    paint_neck(stage, person)
    if not (person.tucked and not dress):
        stage.shadow(outline, 0.35, 2.5)
    stage.shadow(outline, 0.25, 1.0, trunk)
    lay_body(stage, garment, frame, label, body_folds(rng, garment, 1.0))
    if not dress and person.tucked:
        paint_bottom(stage, person)
    if garment.collar:
        lay_collar(stage, garment, frame, label, back=False)
    sleeves = worn_sleeves(person, garment)
    for side in (0, 1):
        stage.shadow(arm_path(person, side), 0.38, 3.5 * person.size, outline, stroke=person.widths["arm"] * 2.3)
        paint_arm(stage, person, side)
        if garment.sleeve:
            sleeve = sleeves[side]
            elbow = float(np.clip(0.5 / max(garment.sleeve, 0.3), 0.3, 0.9))
            relief = sleeve_folds(rng, float(sleeve.half.mean()), sleeve.length, 1.0, elbow)
            _cuff_shadow(stage, sleeve.line, sleeve.half)
            lay_sleeve(stage, garment, sleeve, label, relief)
    paint_head(stage, person)
    paint_hair(stage, person)


def _cuff_shadow(stage: Stage, line: Points, half: NDArray[np.float64]) -> None:
    along = line[-1] - line[-2]
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    across = np.array([along[1], -along[0]]) * half[-1]
    path = skia.Path()
    path.moveTo(*(line[-1] - across).tolist())
    path.lineTo(*(line[-1] + across).tolist())
    stage.shadow(path, 0.4, 1.5, stroke=4.0)


def _draw_flat(
    garment: Garment, rng: np.random.Generator, height: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    light = Light((-0.2, -0.3, 0.93), float(rng.uniform(0.3, 0.6)))
    # Long sleeves lie close to the body, short ones stand out.
    angle = float(rng.uniform(8, 20) if garment.sleeve > 0.5 else rng.uniform(28, 48))
    unit, frame = 1.0, flat_frame(garment, np.array([0.0, 0.0]), 1.0)
    sleeves = flat_sleeves(garment, frame, unit, angle)
    extent = [frame.at(body_outline(garment))]
    if garment.sleeve:
        extent += [s.line + sign * s.half[:, None] for s in sleeves for sign in (-1, 1)]
    points = np.vstack(extent)
    low, high = points.min(0) - (0, 7 if garment.collar else 0), points.max(0)
    margin = float(rng.uniform(8, 18))
    unit = min((FRAME_WIDTH - 2 * margin) / (high[0] - low[0]), (FRAME_HEIGHT - 2 * margin) / (high[1] - low[1]))
    top = np.array([FRAME_WIDTH / 2, FRAME_HEIGHT / 2 - unit * (low[1] + high[1]) / 2])
    frame = flat_frame(garment, top, unit)

    stage = Stage(height, width, light)
    paper = float(rng.uniform(0.93, 1.0))
    stage.color.clear(skia.Color4f(paper, paper, paper, 1).toColor())
    body = closed(frame.at(body_outline(garment)))
    stage.shadow(body, 0.16, 3.0)
    if garment.collar:
        lay_collar(stage, garment, frame, 255, back=True)
    lay_inside(stage, garment, frame, 255)
    if garment.sleeve:
        for sleeve in flat_sleeves(garment, frame, unit, angle):
            relief = sleeve_folds(rng, float(sleeve.half.mean()), sleeve.length, 0.4, 0.5)
            lay_sleeve(stage, garment, sleeve, 255, relief)
        stage.shadow(body, 0.22, 1.0)
    lay_body(stage, garment, frame, 255, body_folds(rng, garment, 0.4))
    if garment.collar:
        lay_collar(stage, garment, frame, 255, back=False)
    picture = stage.picture()
    picture += rng.normal(0, 0.004, picture.shape).astype(np.float32)
    return np.asarray(np.clip(np.rint(picture * 255), 0, 255), np.uint8), stage.labels()


def _keypoints(person: Person, height: int, width: int) -> Keypoints:
    scale = height / FRAME_HEIGHT
    points = person.joints * scale + ((width - FRAME_WIDTH * scale) / 2, 0)
    inside = np.all((points >= 0) & (points < (width, height)), axis=1)
    points[~inside] = 0
    return Keypoints(points.astype(np.float32), np.where(inside, 0.9, 0).astype(np.float32))
