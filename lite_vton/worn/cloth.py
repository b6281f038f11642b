"""What in the photo of somebody is the garment, and what is skin: by colour, and by where on the body it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category
from lite_vton.errors import UserError
from lite_vton.person.body import Wearer
from lite_vton.person.keypoints import Joint, Keypoints, body_unit

__all__ = ["Place", "WornCloth", "places", "worn_cloth"]

_Floats = NDArray[np.float32]
_Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class _Zone:
    """Where on the torso, in v, colours are learned: the cloth's, and what is worn below it."""

    cloth: tuple[float, float]
    below: tuple[float, float]


_ZONES: dict[Category, _Zone] = {"upper": _Zone((0.28, 0.85), (1.45, 1.9)), "dress": _Zone((0.28, 1.2), (2.4, 3.0))}
_CORE = 0.6  # u within which the torso shows cloth if anything
_CENTRES = {"cloth": 6, "skin": 3, "hair": 3, "below": 4}
_LIGHTNESS = 0.5  # weight beside a and b: folds and shade change it most
_SKIN_LIGHTNESS = 0.3
_SKIN_REACH = 14.0  # weighted CIELAB distance from the face's colours
_SMOOTH = 0.03  # body units over which costs are averaged
_NEVER = 60.0  # weighted CIELAB distance
_FEWEST = 30  # pixels that colours can be learned from


@dataclass(frozen=True)
class Place:
    """Where each pixel is on the body: `u`, `v` on the torso (H, W); `head` within the head, `hand` beyond a wrist."""

    u: NDArray[np.float64]
    v: NDArray[np.float64]
    head: _Bools
    hand: _Bools


@dataclass(frozen=True)
class WornCloth:
    """(H, W) bool each: `cloth` the garment, as far as it is seen; `skin` bare neck, arms and legs."""

    cloth: _Bools
    skin: _Bools


def places(
    keypoints: Keypoints, wearer: Wearer, half: tuple[tuple[float, ...], tuple[float, ...]], height: int, width: int
) -> Place:
    """Of every pixel; `keypoints` completed, `half` as in `Torso.locate`."""
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2) + 0.5
    u, v = (part.reshape(height, width) for part in wearer.torso.locate(grid, half))
    points = keypoints.points.astype(np.float64)
    unit = body_unit(points)
    head = np.zeros((height, width), bool)
    if keypoints.sees(Joint.NOSE):
        nose, neck = points[Joint.NOSE], points[Joint.NECK]
        up = nose - neck
        length = max(float(np.linalg.norm(up)), 1e-6)
        along = ((grid - nose) @ up / length).reshape(height, width)
        aside = np.abs((grid - nose) @ np.array([-up[1], up[0]]) / length).reshape(height, width)
        # Down to the chin, 0.42 of the way to the neck point.
        head = (along > -0.4 * length) & (aside < 0.5 * unit)
    hand = np.zeros((height, width), bool)
    for elbow, wrist in ((Joint.R_ELBOW, Joint.R_WRIST), (Joint.L_ELBOW, Joint.L_WRIST)):
        if keypoints.sees(elbow, wrist):
            along = points[wrist] - points[elbow]
            along /= max(float(np.linalg.norm(along)), 1e-6)
            beyond = ((grid - points[wrist]) @ along / unit).reshape(height, width)
            aside = np.abs((grid - points[wrist]) @ np.array([-along[1], along[0]]) / unit).reshape(height, width)
            hand |= (beyond > 0.02) & (beyond < 0.55) & (aside < 0.2)
    return Place(u, v, head, hand)


def worn_cloth(
    pixels: NDArray[np.uint8],
    keypoints: Keypoints,
    silhouette: _Floats,
    place: Place,
    category: Category,
    mask: _Floats | None = None,
    skin: _Floats | None = None,
) -> WornCloth:
    """From photo (H, W, 3) and the person's silhouette (H, W) in [0, 1].

    `mask` (H, W), where known, is the cloth, and `skin` (H, W) what is bare; skin counts only with a mask.

    `UserError` where the torso shows nothing to learn the cloth's colours from.
    """
    import cv2

    zone = _ZONES[category]
    lab = np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    person = silhouette > 0.5
    face = _face(keypoints, person)
    scaled = lab * np.array([_LIGHTNESS, 1, 1], np.float32)
    skin_cost = _skin_cost(lab, face)
    torso = person & (np.abs(place.u) < _CORE) & (place.v > zone.cloth[0]) & (place.v < zone.cloth[1])
    core = torso & ~place.hand & ~place.head
    if mask is not None:
        cloth = (mask > 0.5) & person
        bare = skin_cost < 1 if skin is None else skin > 0.5
        return WornCloth(cloth, person & ~cloth & bare)
    # A garment of the colour of skin must not vanish: bare skin is a smaller part of a torso.
    covered = core & (skin_cost > 1)
    seed = covered if covered.sum() > 0.35 * core.sum() else core
    if seed.sum() < _FEWEST:
        raise UserError(
            "the garment's wearer shows too little of the torso: use a photo from the front, head to thighs"
        )
    unit = body_unit(keypoints.points.astype(np.float64))
    hair = place.head & person & ~face & (skin_cost > 1.3)
    below = person & (np.abs(place.u) < 0.8) & (place.v > zone.below[0]) & (place.v < zone.below[1]) & ~place.hand
    # Hair falls no lower than the waist; what is worn below the garment begins below its shortest.
    found = {
        "cloth": _cost(scaled, seed, "cloth"),
        "skin": _relative(skin_cost) if face.any() else None,
        "hair": _plus(_cost(scaled, hair, "hair"), np.where(place.v > 0.75, _NEVER, 4.0)),
        "below": _plus(_cost(scaled, below & (skin_cost > 1), "below"), np.where(place.v < zone.cloth[1], _NEVER, 0)),
    }
    costs = {kind: np.minimum(cost, _NEVER) for kind, cost in found.items() if cost is not None}
    reach = max(1, round(_SMOOTH * unit))
    kinds = list(costs)
    stack = np.stack([cv2.blur(costs[kind], (2 * reach + 1,) * 2) for kind in kinds])
    best = np.array(kinds)[stack.argmin(axis=0)]
    bare = person & (best == "skin")
    cloth = person & (best == "cloth") & ~place.head & ~(place.hand & (skin_cost < 1.6))
    cloth &= place.v > -0.15
    return WornCloth(_whole(cloth, bare | place.head | ~person, reach), bare)


def _face(keypoints: Keypoints, person: _Bools) -> _Bools:
    """Nose and cheeks."""
    import cv2

    found = np.zeros(person.shape, np.uint8)
    if keypoints.sees(Joint.NOSE, Joint.R_EYE, Joint.L_EYE):
        points = keypoints.points.astype(np.float64)
        nose, eyes = points[Joint.NOSE], points[[Joint.R_EYE, Joint.L_EYE]]
        reach = max(float(np.linalg.norm(eyes[1] - eyes[0])), 0.12 * body_unit(points)) * 0.6
        centre = np.clip(np.rint(nose), -1e4, 1e4).astype(int)
        cv2.circle(found, (int(centre[0]), int(centre[1])), max(2, round(min(reach, 1e4))), (1,), -1)
    return (found > 0) & person


def _skin_cost(lab: _Floats, face: _Bools) -> _Floats:
    """(H, W), below 1 for the colours of the face; everywhere 9 where no face is seen."""
    if face.sum() < _FEWEST // 3:
        return np.full(face.shape, 9.0, np.float32)
    weights = np.array([_SKIN_LIGHTNESS, 1, 1], np.float32)
    seen = lab[face] * weights
    # Eyes, brows, lips and glasses are in it too.
    middle = np.median(seen, axis=0)
    near = seen[np.linalg.norm(seen - middle, axis=1) < _SKIN_REACH]
    middle = np.median(near, axis=0) if len(near) else middle
    return np.asarray(np.linalg.norm(lab * weights - middle, axis=2) / _SKIN_REACH, np.float32)


def _plus(cost: _Floats | None, more: NDArray[np.float64]) -> _Floats | None:
    return None if cost is None else np.asarray(cost + more, np.float32)


def _relative(skin_cost: _Floats) -> _Floats:
    """In the units of the other costs: free within the face's colours."""
    return np.asarray(np.maximum(skin_cost - 0.25, 0) * 14, np.float32)


def _cost(scaled: _Floats, seed: _Bools, kind: str) -> _Floats | None:
    """Distance (H, W) from the nearest of the seed's main colours; None where there are too few pixels."""
    import cv2

    samples = scaled[seed]
    if len(samples) < _FEWEST:
        return None
    samples = np.ascontiguousarray(samples[:: max(1, len(samples) // 4000)], np.float32)
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    count = min(_CENTRES[kind], len(samples))
    _, labels, centres = cv2.kmeans(samples, count, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    sizes = np.bincount(labels.ravel(), minlength=count)
    kept = centres[sizes > 0.03 * len(samples)]
    distance = np.full(scaled.shape[:2], np.inf, np.float32)
    for centre in kept:
        distance = np.minimum(distance, np.linalg.norm(scaled - centre, axis=2))
    return distance


def _whole(cloth: _Bools, other: _Bools, reach: int) -> _Bools:
    """Without specks; prints and buttons inside the cloth belong to it."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    image = np.asarray(cv2.morphologyEx(cloth.astype(np.uint8), cv2.MORPH_OPEN, disc), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
    largest = float(stats[1:, cv2.CC_STAT_AREA].max(initial=0))
    kept = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] > 0.02 * largest]
    cloth = np.isin(labels, kept)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~cloth).astype(np.uint8), connectivity=4)
    alien = np.bincount(labels.ravel(), weights=other.ravel(), minlength=count)
    sizes = stats[:, cv2.CC_STAT_AREA]
    inner = (alien < 0.2 * sizes) & (sizes < 0.25 * max(float(cloth.sum()), 1.0))
    inner[0] = False
    return np.asarray(cloth | inner[labels])
