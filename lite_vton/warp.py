"""Laying a garment onto a person: thin-plate splines from garment landmarks to body keypoints.

One spline for the body and one for each sleeve, since a bent arm would fold a single spline.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.mask import Category, as_category, body_unit
from lite_vton.pose import Joint, Keypoints
from lite_vton.silhouette import Landmarks, Sleeve, find_landmarks
from lite_vton.spline import ThinPlateSpline, sampling_map

__all__ = ["warp_garment"]

_Points = NDArray[np.float64]
_Layer = tuple[NDArray[np.float32], NDArray[np.float32]]  # colour times coverage (H, W, 3), coverage (H, W)


@dataclass(frozen=True)
class _Fit:
    """How clothes sit. Widths in body units (about a shoulder width), lengths in torso lengths (neck to hips)."""

    shoulder_out: float = 0.08  # a seam lies outside the joint
    shoulder_up: float = 0.1  # and above it, on the shoulder
    collar_up: float = 0.17  # a neckline's ends, beside the neck, above the neck point
    collar: tuple[float, float] = (0.32, 0.62)  # narrowest and widest neckline
    chest: tuple[float, float] = (1.0, 1.3)  # narrowest and widest body of a garment at the armpits
    hem_width: tuple[float, float] = (0.95, 1.6)
    armpit: tuple[float, float] = (0.25, 0.42)  # depth below the shoulders
    length: tuple[float, float] = (0.85, 1.3)  # of the garment, from the neck
    long_sleeve: tuple[float, float] = (0.55, 0.62)  # shares of the arm, as measured on the flat garment
    sleeve_width: tuple[float, float] = (0.26, 0.5)  # of a cuff


_FITS: dict[Category, _Fit] = {
    "upper": _Fit(),
    "dress": _Fit(length=(1.5, 2.1), hem_width=(1.0, 2.0)),
}


def warp_garment(
    garment: NDArray[np.uint8],
    mask: NDArray[np.float32],
    keypoints: Keypoints,
    height: int,
    width: int,
    category: str = "upper",
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Garment (h, w, 3) RGB with mask (h, w) in [0, 1], as the person of `keypoints` (pixels of the result) wears it.

    Returns (height, width, 3) uint8, black where there is no garment, and its coverage (height, width) float32
    in [0, 1], soft at the border. The garment is expected upright, seen from the front.
    `UserError` for an empty mask or keypoints without shoulders or hips.
    """
    fit = _FITS[as_category(category)]
    if mask.shape != garment.shape[:2]:
        raise UserError(f"the garment mask is {mask.shape} and its picture {garment.shape[:2]}: give both one size")
    if not np.any(mask > 0.5):
        raise UserError("the garment's mask is empty: give a mask that marks the garment")
    frame = _Frame.of(keypoints.completed())
    garment, mask = _near_target_size(garment, mask, frame.unit)
    marks = find_landmarks(mask)
    body = _body_targets(marks, frame, fit)
    layers = [_body_layer(garment, mask, marks, body, height, width)]
    for side, sleeve in enumerate(marks.sleeves):
        if sleeve is not None:
            layers.append(_sleeve_layer(garment, mask, marks, side, sleeve, body, frame, fit, height, width))
    return _stack(layers)


@dataclass(frozen=True)
class _Frame:
    """The person in pixels; sides are (left, right) as seen in the picture, like the garment's."""

    neck: _Points
    shoulders: _Points  # (2, 2)
    hips: _Points  # (2, 2)
    arms: tuple[_Points, _Points]  # shoulder, elbow, wrist, as far as seen (n, 2)
    unit: float

    @classmethod
    def of(cls, body: Keypoints) -> _Frame:
        points = body.points.astype(np.float64)
        right = (Joint.R_SHOULDER, Joint.R_ELBOW, Joint.R_WRIST, Joint.R_HIP)
        left = (Joint.L_SHOULDER, Joint.L_ELBOW, Joint.L_WRIST, Joint.L_HIP)
        # Seen from behind, the person's right is on the right.
        sides = (right, left) if points[right[0], 0] <= points[left[0], 0] else (left, right)
        arms = []
        for shoulder, elbow, wrist, _ in sides:
            seen = [shoulder]
            if body.sees(elbow):
                seen += [elbow, wrist] if body.sees(wrist) else [elbow]
            arms.append(points[seen])
        return cls(
            points[Joint.NECK],
            points[[side[0] for side in sides]],
            points[[side[3] for side in sides]],
            (arms[0], arms[1]),
            body_unit(points),
        )

    @property
    def down(self) -> _Points:
        """From between the shoulders to between the hips."""
        along = self.hips.mean(axis=0) - self.shoulders.mean(axis=0)
        # Someone folded up still has a torso.
        length = float(np.linalg.norm(along))
        return along if length > 0.3 * self.unit else np.array([0.0, 1.2 * self.unit])

    @property
    def across(self) -> _Points:
        """Unit vector from the left shoulder to the right one."""
        along = self.shoulders[1] - self.shoulders[0]
        length = float(np.linalg.norm(along))
        return along / length if length > 1e-6 else np.array([1.0, 0.0])


@dataclass(frozen=True)
class _Targets:
    """Where the garment's landmarks go, (2, 2) each, and the scale across they imply."""

    collar: _Points
    shoulders: _Points
    armpits: _Points
    waist: _Points
    hem: _Points
    scale: float


def _body_targets(marks: Landmarks, frame: _Frame, fit: _Fit) -> _Targets:
    """The garment keeps its own proportions as far as `fit` allows, scaled so that its shoulders fit."""
    torso = float(np.linalg.norm(frame.down))
    down, across = frame.down / torso, frame.across
    side = np.array([[-1.0], [1.0]])
    shoulder_width = max(float(np.linalg.norm(frame.shoulders[1] - frame.shoulders[0])), 0.3 * frame.unit)
    centre = frame.shoulders.mean(axis=0)
    seam = shoulder_width + 2 * fit.shoulder_out * frame.unit
    shoulders = centre + side * across * seam / 2 - down * fit.shoulder_up * frame.unit

    chest_width = _span(marks.armpits)
    scale = seam / max(_span(marks.shoulders), 1.0)
    chest = float(np.clip(chest_width * scale, fit.chest[0] * shoulder_width, fit.chest[1] * shoulder_width))
    # Narrowed or widened as one, so that prints keep their shape.
    scale = chest / max(chest_width, 1.0)
    collar = float(np.clip(_span(marks.collar) * scale, fit.collar[0] * frame.unit, fit.collar[1] * frame.unit))
    top = frame.neck - down * fit.collar_up * frame.unit
    collars = top + side * across * collar / 2

    lengthwise = scale
    garment_top = float(marks.collar[:, 1].mean())
    length = (float(marks.hem[:, 1].mean()) - garment_top) * lengthwise
    length = float(np.clip(length, fit.length[0] * torso, fit.length[1] * torso))
    depth = (float(marks.armpits[:, 1].mean()) - float(marks.shoulders[:, 1].mean())) * lengthwise
    depth = float(np.clip(depth, fit.armpit[0] * torso, fit.armpit[1] * torso))
    armpits = centre + side * across * chest / 2 + down * (depth - fit.shoulder_up * frame.unit)

    # Further down the torso may lean or turn: its sides follow the line from shoulders to hips.
    hips_across = frame.hips[1] - frame.hips[0]
    hips_across = hips_across / max(float(np.linalg.norm(hips_across)), 1e-6)
    hips_across = across if float(hips_across @ across) < 0.5 else hips_across
    lower = _unit(across + hips_across)
    hem_width = _span(marks.hem) * scale
    hem_width = float(np.clip(hem_width, fit.hem_width[0] * shoulder_width, fit.hem_width[1] * shoulder_width))
    waist_width = _span(marks.waist) * scale
    waist_width = float(np.clip(waist_width, 0.85 * min(chest, hem_width), 1.1 * max(chest, hem_width)))
    hem = frame.neck + down * (length - fit.collar_up * frame.unit) + side * lower * hem_width / 2
    waist = (armpits.mean(axis=0) + hem.mean(axis=0)) / 2 + side * lower * waist_width / 2
    return _Targets(collars, shoulders, armpits, waist, hem, scale)


def _body_layer(
    garment: NDArray[np.uint8], mask: NDArray[np.float32], marks: Landmarks, to: _Targets, height: int, width: int
) -> _Layer:
    import cv2

    body = mask.copy()
    for sleeve in marks.sleeves:
        if sleeve is not None:
            # The sleeve's soft rim goes with it, or its outline stays behind.
            rim = cv2.dilate(sleeve.region.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
            body[sleeve.region | (rim & (mask <= 0.5))] = 0
    sources = np.concatenate([marks.collar, marks.shoulders, marks.armpits, marks.waist, marks.hem])
    targets = np.concatenate([to.collar, to.shoulders, to.armpits, to.waist, to.hem])
    return _warped(garment, body, sources, targets, height, width)


def _sleeve_layer(
    garment: NDArray[np.uint8],
    mask: NDArray[np.float32],
    marks: Landmarks,
    side: int,
    sleeve: Sleeve,
    to: _Targets,
    frame: _Frame,
    fit: _Fit,
    height: int,
    width: int,
) -> _Layer:
    """The sleeve along the arm, its cuff where its length ends, overlapping the body a little at the seam."""
    import cv2

    overlap = 2 * max(2, round(0.02 * frame.unit / to.scale)) + 1
    grown = cv2.dilate(sleeve.region.astype(np.uint8), np.ones((overlap, overlap), np.uint8)) > 0
    piece = np.where(grown, mask, 0).astype(np.float32)

    arm = _arm(frame, side)
    whole = float(np.linalg.norm(np.diff(arm, axis=0), axis=1).sum())
    turn = 1.0 if side == 0 else -1.0
    cuff = _span(sleeve.cuff) * to.scale
    cuff = float(np.clip(cuff, fit.sleeve_width[0] * frame.unit, fit.sleeve_width[1] * frame.unit))

    # Each seam in (distance along the arm, offset to the outside); outer from the shoulder, inner from the armpit.
    outer_root = _along_arm(arm, to.shoulders[side], turn)
    inner_root = _along_arm(arm, to.armpits[side], turn)
    # Under a hanging arm the sleeve lies over the body's side, so that no gap opens between them.
    inner_root = inner_root[0], min(inner_root[1], -0.1 * frame.unit)
    share = sleeve.length * to.scale / whole
    # Past the elbow sleeves are long ones, laid out in folds: they end at the wrist, whatever the photo measures.
    long = np.clip((share - fit.long_sleeve[0]) / (fit.long_sleeve[1] - fit.long_sleeve[0]), 0, 1)
    outer_end = float(np.clip(share + long * (1 - share), 0.2, 1)) * whole
    # An arm held down crumples the inner seam, which lies flat in the garment's photo.
    inner_length = float(np.linalg.norm(sleeve.cuff[1] - marks.armpits[side])) * to.scale
    inner_end = min(max(outer_end, inner_root[0] + 0.4 * inner_length), whole)
    sources, targets = (
        [marks.shoulders[side], marks.armpits[side]],
        [to.shoulders[side], _beside_arm(arm, *inner_root, turn)],
    )
    for share in (1 / 3, 2 / 3, 1.0):
        for root, start, end, corner, half in (
            (outer_root, marks.shoulders[side], outer_end, sleeve.cuff[0], cuff / 2),
            (inner_root, marks.armpits[side], inner_end, sleeve.cuff[1], -cuff / 2),
        ):
            sources.append(start + share * (corner - start))
            distance = root[0] + share * (end - root[0])
            offset = root[1] + min(1.0, 2 * share) * (half - root[1])
            targets.append(_beside_arm(arm, distance, offset, turn))
    colour, cover = _warped(garment, piece, np.array(sources), np.array(targets), height, width)
    # Far from its control points a spline that turns a sleeve downwards folds; nothing of the sleeve belongs there.
    right_around = [0, *range(2, len(targets), 2), *range(len(targets) - 1, 2, -2), 1]
    near = np.zeros((height, width), np.uint8)
    outline = np.rint(np.array(targets)[right_around]).clip(-8000, 8000).astype(np.int32)
    cv2.fillPoly(near, [outline], (1,))
    cv2.polylines(near, [outline], True, (1,), max(1, round(0.16 * frame.unit)))
    return colour * near[..., None], cover * near


def _arm(frame: _Frame, side: int) -> _Points:
    """Shoulder, elbow, wrist; an arm not seen, or seen end on, hangs down along the torso."""
    arm = frame.arms[side]
    if float(np.linalg.norm(np.diff(arm, axis=0), axis=1).sum()) < 0.1 * frame.unit:
        down = _unit(frame.down)
        outward = frame.across * (-0.15 if side == 0 else 0.15)
        return np.array([arm[0], arm[0] + (down + outward) * 0.75 * frame.unit])
    return arm


def _along_arm(arm: _Points, point: _Points, turn: float) -> tuple[float, float]:
    """A point near the shoulder as (distance along the upper arm, at least 0; offset to the outside)."""
    direction = _unit(arm[1] - arm[0])
    outward = turn * np.array([-direction[1], direction[0]])
    return max(0.0, float((point - arm[0]) @ direction)), float((point - arm[0]) @ outward)


def _beside_arm(arm: _Points, distance: float, offset: float, turn: float) -> _Points:
    """The point at `distance` along the arm's bones and `offset` beside them, rounded at the elbow."""
    lengths = np.linalg.norm(np.diff(arm, axis=0), axis=1)
    directions = [_unit(b - a) for a, b in pairwise(arm)]
    index = 0 if len(directions) == 1 or distance <= lengths[0] else 1
    point = arm[index] + directions[index] * (distance - (float(lengths[0]) if index else 0.0))
    direction = directions[index]
    if len(directions) == 2:
        # Turns evenly over the half of either bone next to the elbow.
        share = float(np.clip((distance - lengths[0]) / max(float(lengths.min()), 1e-6) + 0.5, 0, 1))
        direction = _unit((1 - share) * directions[0] + share * directions[1])
    return np.asarray(point + turn * offset * np.array([-direction[1], direction[0]]))


def _near_target_size(
    garment: NDArray[np.uint8], mask: NDArray[np.float32], unit: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Shrunk to about the size it will have, since cv2.remap alone would alias and a spline costs by the pixel."""
    import cv2

    columns = np.flatnonzero(mask.max(axis=0) > 0.5)
    # With sleeves spread a garment is up to three body units wide.
    scale = 2.6 * unit / max(int(columns[-1] - columns[0]) + 1, 1)
    if scale >= 0.9:
        return garment, mask
    size = (max(8, round(mask.shape[1] * scale)), max(8, round(mask.shape[0] * scale)))
    small = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
    if not np.any(small > 0.5):
        return garment, mask
    return np.asarray(cv2.resize(garment, size, interpolation=cv2.INTER_AREA), np.uint8), small


def _warped(
    garment: NDArray[np.uint8], mask: NDArray[np.float32], sources: _Points, targets: _Points, height: int, width: int
) -> _Layer:
    import cv2

    # Backwards: for each pixel of the result, where in the garment it comes from.
    spline = ThinPlateSpline.fit(targets, sources)
    x, y = sampling_map(spline, height, width)
    premultiplied = garment.astype(np.float32) * mask[..., None]
    layer = np.dstack([premultiplied, mask])
    out = cv2.remap(layer, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(out[..., :3], np.float32), np.asarray(out[..., 3], np.float32)


def _stack(layers: list[_Layer]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Later layers over earlier ones."""
    colour, cover = layers[0]
    for top, alpha in layers[1:]:
        colour = top + colour * (1 - alpha[..., None])
        cover = alpha + cover * (1 - alpha)
    plain = colour / np.maximum(cover, 1e-3)[..., None]
    pixels = np.where(cover[..., None] > 1e-3, np.clip(np.rint(plain), 0, 255), 0)
    return pixels.astype(np.uint8), np.clip(cover, 0, 1).astype(np.float32)


def _span(pair: _Points) -> float:
    return float(np.linalg.norm(pair[1] - pair[0]))


def _unit(vector: _Points) -> _Points:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else np.array([0.0, 1.0])
