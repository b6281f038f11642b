"""Whether keypoints can be those of a photo of this size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.tryon.given.body import lies_like, torso_length
from lite_vton.tryon.given.misreadings import Misreading, misreadings
from lite_vton.tryon.given.witnesses import Witnesses

__all__ = ["best_misreading", "check_in_picture", "check_seen"]

_Points = NDArray[np.float64]

_TORSO = (Joint.R_SHOULDER, Joint.L_SHOULDER, Joint.R_HIP, Joint.L_HIP)
_OUTSIDE = 0.15  # of the picture's sides: pose networks guess at joints so far beyond it, of a person cut by the frame
_SHORTEST = 0.01  # of the picture's longer side: a torso below it is no person's who can be dressed
_SAME, _NEAR, _FAR = 0.85, 0.7, 0.5  # see `lies_like`: one body moved back, two estimates of one body, two bodies


def check_in_picture(keypoints: Keypoints, height: int, width: int, name: str) -> None:
    """`UserError`, with what they look like, for keypoints that nobody in a picture of this size can have.

    Joints a little outside it are right: guesses at somebody whom the frame cuts.
    """
    seen = keypoints.points[keypoints.visible].astype(np.float64)
    size = np.array([width, height])
    for low, high in ((0, 1), (-1, 1)):
        margin = _OUTSIDE * (high - low)
        if seen.min() >= low - margin and seen.max() <= high + margin:
            raise UserError(
                f"{name} lie in {low}..{high}, not in pixels of this {width}x{height} photo: "
                "multiply by width and height"
            )
    body = keypoints.completed().points.astype(np.float64)
    middle = body[list(_TORSO)].mean(axis=0)
    outside = np.any((seen < -_OUTSIDE * size) | (seen > (1 + _OUTSIDE) * size), axis=1)
    if np.any((middle < 0) | (middle >= size)) or outside.mean() > 0.5:
        raise UserError(
            f"{name} lie outside the {width}x{height} photo{_ratio(seen, size)}: "
            "give keypoints in pixels of this very photo, made after it was rotated or resized"
        )
    if torso_length(keypoints) < _SHORTEST * max(height, width):
        raise UserError(
            f"{name} lie within a few pixels of each other in this {width}x{height} photo: "
            "give them in its pixels, from 0 to its width and height"
        )
    turned = _turned(keypoints, body)
    if turned is not None:
        raise UserError(f"{name} {turned}")


def check_seen(keypoints: Keypoints, height: int, width: int, witnesses: Witnesses, name: str) -> None:
    """`UserError`, with what they look like, where keypoints lie beside everybody who is seen in the photo."""
    people = [person for person in witnesses.people if person.has_torso]
    if not people:
        return

    def fits(tried: Keypoints) -> float:
        return max(lies_like(tried, person) for person in people)

    own = fits(keypoints)
    if own >= _NEAR:
        return
    scales = tuple(torso_length(keypoints) / max(torso_length(person), 1.0) for person in people)
    found = best_misreading(keypoints, height, width, fits, scales)
    if found is not None and found[1] >= _SAME:
        raise UserError(f"{name} {found[0].looks}, not of this {width}x{height} photo: {found[0].advice}")
    if own < _FAR and not witnesses.looks_closer():
        raise UserError(
            f"{name} lie beside everybody who is seen in this {width}x{height} photo: "
            "give the keypoints of this very photo, or leave them out"
        )


def best_misreading(
    keypoints: Keypoints,
    height: int,
    width: int,
    fits: Callable[[Keypoints], float],
    scales: tuple[float, ...] = (),
) -> tuple[Misreading, float] | None:
    """What, undone, makes keypoints fit best, and how well; the first of those that fit as well."""
    best = None
    for misreading in misreadings(scales):
        fit = fits(misreading.undone(keypoints, height, width))
        if best is None or fit > best[1] + 0.01:
            best = misreading, fit
    return best


def _ratio(seen: _Points, size: NDArray[np.int_]) -> str:
    """How many times as large the picture must be in which they all lie, if that is a ratio sizes are kept at."""
    if seen.min() < -_OUTSIDE * size.min():
        return ""
    needed = float((seen / size).max())
    scale = next((scale for scale in (1.5, 2.0, 3.0, 4.0, 8.0) if needed <= scale * 1.02), None)
    return "" if scale is None else f", and within one {scale:g} times as large"


def _turned(keypoints: Keypoints, body: _Points) -> str | None:
    """What is wrong with a body that lies, seen in a mirror, or stands on its head; None for all others."""
    right, left, hips = body[Joint.R_SHOULDER], body[Joint.L_SHOULDER], body[[Joint.R_HIP, Joint.L_HIP]].mean(axis=0)
    across, down = left - right, hips - (left + right) / 2
    length = float(np.linalg.norm(down))
    # Above 0 where a person is seen from the front, whichever way the photo is turned.
    facing = float(across[0] * down[1] - across[1] * down[0]) / (length * length)
    if down[0] > 1.5 * abs(down[1]) and facing < -0.15:
        return "have x and y swapped: write x, which counts from the left, before y"
    knees = [body[knee, 1] for knee in (Joint.R_KNEE, Joint.L_KNEE) if keypoints.sees(knee)]
    head_down = keypoints.sees(Joint.NOSE) and body[Joint.NOSE, 1] > body[Joint.NECK, 1]
    if down[1] < -0.7 * length and head_down and all(knee < hips[1] for knee in knees):
        return "show somebody upside down: count y from the top, in the photo turned upright"
    return None
