"""A person's hips and legs as surfaces to lay cloth on, from keypoints alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.person.body import Build, Limb, Wearer, bent
from lite_vton.person.keypoints import Joint, Keypoints

__all__ = ["SKIRT", "WAIST", "Legs", "check_knees", "completed_legs"]

_Points = NDArray[np.float64]

WAIST = 0.18
"""Torso lengths, neck to hips, from the hip joints up to where trousers begin."""

SKIRT = 1.65
"""How wide a skirt may be, in widths of the hips."""

_CROTCH = 0.3  # torso lengths from the hip joints down to where the legs part
_CROTCH_OF_THIGH = 0.45  # at most that share of a thigh that comes towards the camera
_THIGH, _SHIN = 0.8, 0.72  # torso lengths, where a joint is not seen
_SIDES = ((Joint.R_HIP, Joint.R_KNEE, Joint.R_ANKLE), (Joint.L_HIP, Joint.L_KNEE, Joint.L_ANKLE))


@dataclass(frozen=True)
class Legs:
    """Sides are left and right as seen in the picture, like the garment's.

    `pelvis` goes from the waist to the crotch, `legs` from hip to ankle, `middle` from the waist between the legs down
    to the ankles; `hips` and `crotch` are distances in pixels along `pelvis`, `parting` (2,) along each leg where it
    leaves its twin. `front` is the leg before the other where they cross, else None.
    """

    build: Build
    torso: float
    pelvis: Limb
    legs: tuple[Limb, Limb]
    middle: Limb
    hips: float
    crotch: float
    parting: tuple[float, float]
    spread: tuple[float, float]
    front: int | None

    @classmethod
    def of(cls, keypoints: Keypoints) -> Legs:
        """`keypoints` completed, in pixels. `UserError` where no knee is seen."""
        check_knees(keypoints)
        build = Wearer.of(keypoints).build
        body = completed_legs(keypoints)
        points = body.points.astype(np.float64)
        sides = sorted(_SIDES, key=lambda side: float(points[side[0], 0]))
        joints = np.stack([points[list(side)] for side in sides])
        hips, knees, ankles = joints.mean(axis=0)
        down, torso = _down(points)
        waist = hips - WAIST * torso * down
        thighs = np.linalg.norm(joints[:, 1] - joints[:, 0], axis=1)
        parting = np.clip(_CROTCH_OF_THIGH * thighs, 1.0, _CROTCH * torso)
        crotch = float(parting.mean())
        legs = tuple(Limb(bent(*leg), body.sees(*side)) for leg, side in zip(joints, sides, strict=True))
        middle = Limb(np.vstack([waist, bent(hips, knees, ankles)]), True)
        apart = joints[1] - joints[0]
        spread = tuple(float(np.linalg.norm(row)) / 2 for row in apart[1:])
        crossed = bool(np.any(apart[1:, 0] < 0))
        return cls(
            build,
            torso,
            Limb(np.stack([waist, hips + crotch * down]), True),
            (legs[0], legs[1]),
            middle,
            WAIST * torso,
            WAIST * torso + crotch,
            (float(parting[0]), float(parting[1])),
            (spread[0], spread[1]),
            # Who stands nearer to the camera stands lower in the picture.
            int(joints[1, 2, 1] > joints[0, 2, 1]) if crossed else None,
        )

    def thickness(self, share: _Points) -> _Points:
        """Half the leg's width in pixels at shares of its length, hip 0, knee about 0.52, ankle 1."""
        hip, torso = self.build.hip, self.torso
        halves = (0.5 * hip, 0.47 * hip, 0.085 * torso, 0.09 * torso, 0.05 * torso)
        return np.asarray(np.interp(share, (0.0, 0.25, 0.52, 0.66, 1.0), halves))


def check_knees(keypoints: Keypoints) -> None:
    """`UserError` where no knee is seen."""
    if not keypoints.visible[[Joint.R_KNEE, Joint.L_KNEE]].any():
        raise UserError(
            "the keypoints show no knees: trousers and skirts need a photo from the waist to below the knees"
        )


def completed_legs(keypoints: Keypoints) -> Keypoints:
    """With knees and ankles: a missing one lies as its twin does, or the leg goes on. `keypoints` completed."""
    points, seen = keypoints.points.astype(np.float64), keypoints.visible
    _, torso = _down(points)
    for (hip, knee, ankle), (twin_hip, twin_knee, _) in (_SIDES, _SIDES[::-1]):
        if not seen[knee]:
            points[knee] = points[hip] + (
                points[twin_knee] - points[twin_hip] if seen[twin_knee] else np.array([0.0, _THIGH * torso])
            )
        if not seen[ankle]:
            way = points[knee] - points[hip]
            # A shin hangs, however the thigh lies.
            lean = 0.3 * way[0] if way[1] > abs(way[0]) else 0.0
            points[ankle] = points[knee] + np.array([lean, _SHIN * torso])
    return Keypoints(points.astype(np.float32), keypoints.confidence)


def _down(points: _Points) -> tuple[_Points, float]:
    """Unit vector from neck to hips, and its length in pixels, as long as someone folded up would have it."""
    way = points[[Joint.R_HIP, Joint.L_HIP]].mean(axis=0) - points[Joint.NECK]
    length = float(np.linalg.norm(way))
    shoulders = float(np.linalg.norm(points[Joint.R_SHOULDER] - points[Joint.L_SHOULDER]))
    least = max(0.5 * shoulders, 2.0)
    if length < least:
        return np.array([0.0, 1.0]), max(1.2 * shoulders, 2.0)
    return way / length, length
