"""A person's torso and arms as surfaces to lay cloth on, from keypoints alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.person.keypoints import Joint, Keypoints, body_unit

__all__ = ["Build", "Limb", "Torso", "Wearer", "bent", "smooth"]

_Points = NDArray[np.float64]

_TORSO_SIZE = 108.0  # units of cloth from neck to hips, on the figure clothes are cut for
_NECK_UP = 0.12  # torso lengths from the neck point up to where a garment begins, beside the neck
_WRAP = 1.05  # radians to either side that cloth goes around a chest before it is out of sight
_TURN_SHIFT = 0.13  # of half the width: how far the middle of a turned torso moves
_EARS_TO_TURN = 4.56  # a nose that far off the ears' middle, in ear distances, goes with a torso's turn of 1
_FOREARM = 0.88  # of the upper arm, where it is not seen
_BEND = 0.16  # of each bone: rounded at the joint
_CORNERS = 7  # points that round a joint


@dataclass(frozen=True)
class Build:
    """Half widths of the body in pixels, and `size`, the pixels of a unit of cloth on this person."""

    size: float
    shoulder: float
    chest: float
    waist: float
    hip: float
    arm: float
    wrist: float


@dataclass(frozen=True)
class Torso:
    """The front of a trunk as a round surface.

    v goes down from `top` along `axis` (2,), 0 to 1; sideways u = -1 and 1 are half a width out along `across`
    (2, 2), unit vectors at top and hips; `turn` -1 to 1 where the middle is seen.
    """

    top: _Points
    axis: _Points
    across: _Points
    turn: float

    def locate(self, points: _Points, half: tuple[tuple[float, ...], tuple[float, ...]]) -> tuple[_Points, _Points]:
        """(N,) u and v of pixels (N, 2), for a garment with half widths in pixels at some v, ((v...), (half...))."""
        offset = points - self.top
        v = np.zeros(len(points))
        sideways = v
        for _ in range(4):
            share = np.clip(v, 0, 1)[:, None]
            across = self.across[0] * (1 - share) + self.across[1] * share
            area = self.axis[0] * across[:, 1] - self.axis[1] * across[:, 0]
            v = (offset[:, 0] * across[:, 1] - offset[:, 1] * across[:, 0]) / area
            sideways = (self.axis[0] * offset[:, 1] - self.axis[1] * offset[:, 0]) / area
        seen = sideways / smooth(v, *half)
        return self._unrolled(seen, v), v

    def place(self, u: _Points, v: _Points, half: tuple[tuple[float, ...], tuple[float, ...]]) -> _Points:
        """(N, 2) pixels where the cloth's (N,) u and v are seen: the inverse of `locate`."""
        angle = _wrapped(v)
        edge = np.clip(u, -1, 1)
        middle = np.sin(edge * angle) / np.sin(angle) + (u - edge)
        shift = self.turn * _TURN_SHIFT
        seen = middle + shift * np.maximum(1 - middle**2, 0)
        share = np.clip(v, 0, 1)[:, None]
        across = self.across[0] * (1 - share) + self.across[1] * share
        return np.asarray(self.top + v[:, None] * self.axis + (seen * smooth(v, *half))[:, None] * across)

    def _unrolled(self, seen: _Points, v: _Points) -> _Points:
        """Places on the cloth of places seen: it goes around the body, more so below the shoulders."""
        shift = self.turn * _TURN_SHIFT
        middle = seen
        if abs(shift) > 1e-3:
            inside = np.abs(seen) < 1
            root = np.sqrt(np.maximum(1 - 4 * shift * (seen - shift), 0))
            middle = np.where(inside, (1 - root) / (2 * shift), seen)
        angle = _wrapped(v)
        edge = np.clip(middle, -1, 1)
        return np.asarray(np.arcsin(edge * np.sin(angle)) / angle + (middle - edge))


@dataclass(frozen=True)
class Limb:
    """`line` (n, 2), shoulder to wrist or hip to ankle, rounded at the joint; `seen` if keypoints showed it all."""

    line: _Points
    seen: bool

    @property
    def length(self) -> float:
        """In pixels."""
        return float(np.linalg.norm(np.diff(self.line, axis=0), axis=1).sum())

    def locate(self, points: _Points) -> tuple[_Points, _Points]:
        """(N,) distance in pixels along the limb, below 0 before its start, and offset to the right of that way."""
        starts, steps = self.line[:-1], np.diff(self.line, axis=0)
        lengths = np.maximum(np.linalg.norm(steps, axis=1), 1e-6)
        along = steps / lengths[:, None]
        offset = points[:, None] - starts
        share = np.einsum("nsk,sk->ns", offset, along)
        low, high = np.zeros(len(lengths)), lengths.copy()
        low[0], high[-1] = -np.inf, np.inf
        near = np.clip(share, low, high)
        gap = offset - near[..., None] * along
        best = (gap**2).sum(axis=2).argmin(axis=1)
        rows = np.arange(len(points))
        before = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
        across = along[best][:, 0] * offset[rows, best][:, 1] - along[best][:, 1] * offset[rows, best][:, 0]
        distance = np.hypot(gap[rows, best][:, 0], gap[rows, best][:, 1])
        return before[best] + near[rows, best], np.copysign(distance, across)

    def place(self, along: _Points, offset: _Points) -> _Points:
        """(N, 2) pixels at (N,) distances along the arm and offsets to the left of that way; `locate` gives them back.

        Only where the arm is straight, or the offset is smaller than its bend is wide.
        """
        steps = np.diff(self.line, axis=0)
        lengths = np.maximum(np.linalg.norm(steps, axis=1), 1e-6)
        before = np.concatenate([[0.0], np.cumsum(lengths)])
        index = np.clip(np.searchsorted(before, along, side="right") - 1, 0, len(lengths) - 1)
        way = steps / lengths[:, None]
        forward = way[index]
        across = np.stack([-forward[:, 1], forward[:, 0]], axis=1)
        return np.asarray(
            self.line[index] + (along - before[index])[:, None] * forward + np.asarray(offset)[:, None] * across
        )


@dataclass(frozen=True)
class Wearer:
    """Sides are left and right as seen in the picture, like the garment's."""

    build: Build
    torso: Torso
    arms: tuple[Limb, Limb]

    @classmethod
    def of(cls, keypoints: Keypoints) -> Wearer:
        """`keypoints` completed, in pixels."""
        points = keypoints.points.astype(np.float64)
        unit = body_unit(points)
        right = (Joint.R_SHOULDER, Joint.R_ELBOW, Joint.R_WRIST, Joint.R_HIP)
        left = (Joint.L_SHOULDER, Joint.L_ELBOW, Joint.L_WRIST, Joint.L_HIP)
        # Seen from behind, the person's right is on the right.
        sides = (right, left) if points[right[0], 0] <= points[left[0], 0] else (left, right)
        shoulders, hips = (points[[side[k] for side in sides]] for k in (0, 3))
        neck = points[Joint.NECK]
        down = hips.mean(axis=0) - neck
        length = float(np.linalg.norm(down))
        # Someone folded up still has a torso.
        if length < 0.5 * unit:
            down, length = np.array([0.0, 1.2 * unit]), 1.2 * unit
        build = _build(shoulders, hips, length, unit)
        top = neck - _NECK_UP * down
        across = np.stack([_sideways(pair, down) for pair in (shoulders, hips)])
        torso = Torso(top, (1 + _NECK_UP) * down, across, _turn(keypoints))
        first, second = (_arm(keypoints, side[:3], down, sign) for side, sign in zip(sides, (-1, 1), strict=True))
        return cls(build, torso, (first, second))


def _wrapped(v: _Points) -> _Points:
    """Radians that the cloth goes around the body to either side."""
    return np.asarray(1e-3 + _WRAP * np.clip((v - 0.05) / 0.3, 0, 1))


def smooth(at: _Points, places: tuple[float, ...], values: tuple[float, ...]) -> _Points:
    """A smooth curve through `values` at increasing `places`, constant outside them."""
    x, y = np.array(places), np.array(values)
    index = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    width = (x[1:] - x[:-1])[index]
    slope = np.gradient(y, x)
    s = np.clip((at - x[index]) / width, 0, 1)
    a, b, m, n = y[index], y[index + 1], slope[index] * width, slope[index + 1] * width
    return np.asarray(
        a * (1 + 2 * s) * (1 - s) ** 2 + m * s * (1 - s) ** 2 + b * s**2 * (3 - 2 * s) - n * s**2 * (1 - s)
    )


def _build(shoulders: _Points, hips: _Points, torso: float, unit: float) -> Build:
    """Widths that go with a skeleton, as in people of the proportions anthropometry finds."""
    shoulder = max(float(np.linalg.norm(shoulders[1] - shoulders[0])), 0.3 * unit) / 2
    size = torso / _TORSO_SIZE
    # Hip joints lie well inside the hips.
    hip = float(np.clip(1.7 * np.linalg.norm(hips[1] - hips[0]) / 2, 0.8 * shoulder, 1.25 * shoulder))
    chest = float(np.clip(0.724 * shoulder + 0.227 * hip, 0.75 * shoulder, 1.1 * shoulder))
    waist = float(np.clip(0.924 * shoulder - 0.068 * hip, 0.7 * min(chest, hip), 1.1 * max(chest, hip)))
    arm = float(np.clip(0.257 * shoulder, 6.5 * size, 11.0 * size))
    return Build(size, shoulder + 2.5 * size, chest, waist, hip, arm, 0.55 * arm)


def _sideways(pair: _Points, down: _Points) -> _Points:
    """Unit vector across the body from left to right, square to it where the pair of joints does not tell."""
    square = np.array([down[1], -down[0]]) / np.linalg.norm(down)
    if square[0] < 0:
        square = -square
    along = pair[1] - pair[0]
    length = float(np.linalg.norm(along))
    tells = length > 1e-6 and float(along @ square) > 0.7 * length
    return np.asarray(along / length if tells else square)


def _turn(keypoints: Keypoints) -> float:
    """-1 to 1: a nose between its ears looks at the camera, and mostly so does the chest."""
    if not keypoints.sees(Joint.NOSE, Joint.R_EAR, Joint.L_EAR):
        return 0.0
    points = keypoints.points.astype(np.float64)
    right, left = points[Joint.R_EAR], points[Joint.L_EAR]
    ears = left - right
    apart = float(np.linalg.norm(ears))
    if apart < 1e-6 or ears[0] <= 0:
        return 0.0
    off = float((points[Joint.NOSE] - (left + right) / 2) @ ears) / apart**2
    return float(np.clip(_EARS_TO_TURN * off, -1, 1))


def _arm(keypoints: Keypoints, joints: tuple[Joint, ...], down: _Points, sign: int) -> Limb:
    """An arm not seen hangs down; a forearm not seen goes on as the upper arm does."""
    shoulder, elbow, wrist = (point.astype(np.float64) for point in keypoints.points[list(joints)])
    torso = float(np.linalg.norm(down))
    hanging = down / torso + np.array([0.15 * sign, 0.0])
    sees_elbow = keypoints.sees(joints[1]) and float(np.linalg.norm(elbow - shoulder)) > 0.05 * torso
    sees_wrist = sees_elbow and keypoints.sees(joints[2]) and float(np.linalg.norm(wrist - elbow)) > 0.02 * torso
    if not sees_elbow:
        elbow = shoulder + hanging * 0.52 * torso
    if not sees_wrist:
        wrist = elbow + _FOREARM * (elbow - shoulder)
    return Limb(bent(shoulder, elbow, wrist), sees_wrist)


def bent(start: _Points, joint: _Points, end: _Points) -> _Points:
    """(n, 2) from `start` to `end`, each (2,), rounded at `joint`."""
    before, after = joint + (start - joint) * _BEND, joint + (end - joint) * _BEND
    t = np.linspace(0, 1, _CORNERS)[:, None]
    corner = before * (1 - t) ** 2 + 2 * joint * t * (1 - t) + after * t**2
    return np.vstack([start, corner, end])
