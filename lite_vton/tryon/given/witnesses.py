"""Who is seen in a photo, as a witness for keypoints that are given with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lite_vton.person.keypoints import Keypoints
from lite_vton.person.mediapipe import find_people
from lite_vton.tryon.given.body import lies_like, torso_length

__all__ = ["Witnesses", "look"]

_ROOM = 0.8  # around keypoints that are looked at more closely, in torso lengths
_THERE = 0.5  # agreement of what is seen there with what was given, see `lies_like`


@dataclass(frozen=True)
class Witnesses:
    """The `people` that are seen in a photo; `looks_closer` is whether somebody is seen where given keypoints lie."""

    people: Sequence[Keypoints]
    looks_closer: Callable[[], bool] = lambda: True


def look(pixels: NDArray[np.uint8], keypoints: Keypoints) -> Witnesses:
    """Whom MediaPipe sees in pixels (H, W, 3) RGB. `UserError` where it is not installed."""
    people = [person.keypoints for person in find_people(pixels)]
    return Witnesses(people, lambda: _is_seen(pixels, keypoints))


def _is_seen(pixels: NDArray[np.uint8], keypoints: Keypoints) -> bool:
    """Whether somebody is where `keypoints` lie: in a photo of many people MediaPipe passes some over."""
    points = keypoints.points[keypoints.visible].astype(np.float64)
    room = _ROOM * torso_length(keypoints)
    size = np.array(pixels.shape[1::-1])
    left, top = np.clip(points.min(axis=0) - room, 0, size - 1).astype(int)
    right, bottom = np.clip(points.max(axis=0) + room, [left + 1, top + 1], size).astype(int)
    there = replace(keypoints, points=(keypoints.points - np.array([left, top])).astype(np.float32))
    found = find_people(np.ascontiguousarray(pixels[top:bottom, left:right]), most=2)
    return any(lies_like(there, person.keypoints) >= _THERE for person in found if person.keypoints.has_torso)
