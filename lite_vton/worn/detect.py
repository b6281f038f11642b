"""Telling a garment that somebody wears in its photo from one that lies or hangs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.person.keypoints import Joint, Keypoints, body_unit
from lite_vton.person.mediapipe import Person, find_people, installed
from lite_vton.photo.files import Photo

__all__ = ["is_worn"]

_FACE = 0.99  # confidence of nose and eyes
_HEAD = 0.45, 1.2  # from neck point to nose, in body units
_CROWN = 0.25, 1.0  # from nose to the top of the head
_SMALLEST = 0.05  # of the picture


def is_worn(keypoints: Keypoints, silhouette: NDArray[np.float32]) -> bool:
    """Whether a garment's photo shows somebody in it, by what a pose estimator found in the photo.

    `silhouette` (H, W) in [0, 1] is 1 inside the person. A face beyond doubt, a head of a head's size above the
    shoulders: pose estimators see faint people in garments on hangers.
    """
    if not keypoints.sees(Joint.NOSE, Joint.R_SHOULDER, Joint.L_SHOULDER, Joint.R_HIP, Joint.L_HIP):
        return False
    if float(keypoints.confidence[[Joint.NOSE, Joint.R_EYE, Joint.L_EYE]].min()) < _FACE:
        return False
    height, width = silhouette.shape
    inside = silhouette > 0.5
    body = keypoints.completed().points.astype(np.float64)
    unit = body_unit(body)
    nose = body[Joint.NOSE]
    if not (0 <= nose[0] < width and 0 <= nose[1] < height) or float(inside.mean()) < _SMALLEST:
        return False
    above = inside[: int(nose[1]) + 1, int(nose[0])][::-1]
    crown = (len(above) if above.all() else int(above.argmin())) / unit
    head = float(np.linalg.norm(nose - body[Joint.NECK])) / unit
    cut_off = bool(above.all())  # by the frame, so that the head may be higher than seen
    return _HEAD[0] < head < _HEAD[1] and (cut_off or crown > _CROWN[0]) and crown < _CROWN[1]


def find_wearer(photo: Photo) -> Person | None:
    """Who wears the garment in its photo: None where nobody does, or MediaPipe, which sees people, is not installed."""
    if not installed():
        return None
    people = find_people(photo.pixels, most=1, closer=False)
    return people[0] if people and is_worn(people[0].keypoints, people[0].silhouette) else None
