"""Who is in a photo: keypoints, hands and silhouette of each person, by MediaPipe (extra `photos`).

Its models lie in its own package, nothing is fetched. `mediapipe.solutions`, which later versions no longer carry, is
the only interface of MediaPipe's that works without a download.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.libraries.installed import is_installed
from lite_vton.libraries.quiet import quiet_stderr
from lite_vton.person.keypoints import Joint, Keypoints

__all__ = ["Person", "check_usable", "choose_person", "find_people", "installed"]


@dataclass(frozen=True)
class Person:
    """Somebody seen in a photo (H, W).

    `keypoints` in pixels of the photo, also of joints a little outside it; `silhouette` (H, W) float32 in [0, 1],
    1 = this person; `hands` (2, 4, 2) pixels: of the person's right and left hand wrist, thumb, index and little
    finger, NaN where it is not seen.
    """

    keypoints: Keypoints
    silhouette: NDArray[np.float32]
    hands: NDArray[np.float64]


_Found = TypeVar("_Found", Person, Keypoints)

# MediaPipe's 33 landmarks by COCO-18's joints; its neck is the middle of its shoulders.
_LANDMARKS: dict[Joint, tuple[int, ...]] = {
    Joint.NOSE: (0,),
    Joint.NECK: (11, 12),
    Joint.R_SHOULDER: (12,),
    Joint.R_ELBOW: (14,),
    Joint.R_WRIST: (16,),
    Joint.L_SHOULDER: (11,),
    Joint.L_ELBOW: (13,),
    Joint.L_WRIST: (15,),
    Joint.R_HIP: (24,),
    Joint.R_KNEE: (26,),
    Joint.R_ANKLE: (28,),
    Joint.L_HIP: (23,),
    Joint.L_KNEE: (25,),
    Joint.L_ANKLE: (27,),
    Joint.R_EYE: (5,),
    Joint.L_EYE: (2,),
    Joint.R_EAR: (8,),
    Joint.L_EAR: (7,),
}
_HANDS = ((16, 22, 20, 18), (15, 21, 19, 17))
_SURE = 0.3  # MediaPipe guesses at every joint; below this it does not see it
_OUTSIDE = 0.1  # of the picture's height or width: guesses farther out than this are no use
_SMALLEST = 0.002  # of the picture's area; what is smaller is no person
_SHORTEST_TORSO = 32  # pixels
_SMALLEST_PART = 256  # pixels along a side of a picture's part that is worth a look
_LARGEST_SIDE = 1024  # the networks see 256 pixels a side; more would only cost time


def installed() -> bool:
    """Whether MediaPipe is."""
    return is_installed("mediapipe")


def find_people(pixels: NDArray[np.uint8], most: int = 4, closer: bool = True) -> list[Person]:
    """The people in pixels (H, W, 3) RGB, the largest first; none is an empty list.

    MediaPipe finds one person at a time: each one found is painted over and the rest looked at again, until nobody is
    found or there are `most`. It overlooks people who are small in a wide picture: where it finds nobody, square parts
    are looked at, unless not `closer`. `UserError` where MediaPipe is not installed.
    """
    with _pose_estimator() as estimator:
        people = _seen_in(pixels, estimator, most)
        for part in () if people or not closer else _parts(*pixels.shape[:2]):
            for person in _seen_in(np.ascontiguousarray(pixels[part]), estimator, most):
                found = _of_whole(person, part, *pixels.shape[:2])
                if not any(_is_same(found, other) for other in people):
                    people.append(found)
    return sorted(people, key=lambda person: -float(person.silhouette.sum()))[:most]


def _seen_in(pixels: NDArray[np.uint8], estimator: Any, most: int) -> list[Person]:
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, _LARGEST_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    view = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels)
    painted = np.zeros(view.shape[:2], bool)
    people: list[Person] = []
    while len(people) < most:
        found = estimator.process(view)
        if found.pose_landmarks is None or found.segmentation_mask is None:
            break
        seen = np.asarray(found.segmentation_mask, np.float32)
        area = float((seen > 0.5).mean())
        if area < _SMALLEST or float(((seen > 0.5) & painted).mean()) > 0.5 * area:
            break  # nobody, or the shape that was painted over
        people.append(_person(found.pose_landmarks.landmark, seen, height, width))
        reach = 2 * max(1, round(0.01 * max(size))) + 1
        painted |= cv2.dilate((seen > 0.3).astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
        view = view.copy()
        view[painted] = np.median(view.reshape(-1, 3), axis=0).astype(np.uint8)
    return people


def _parts(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Squares that overlap by half: as large as the picture's shorter side, then half of that."""
    for side in (min(height, width), min(height, width) // 2):
        if side == max(height, width) or side < _SMALLEST_PART:
            continue
        starts = [
            np.linspace(0, whole - side, -(-2 * (whole - side) // side) + 1).astype(int) for whole in (height, width)
        ]
        for top in starts[0]:
            for left in starts[1]:
                yield slice(top, top + side), slice(left, left + side)


def _of_whole(person: Person, part: tuple[slice, slice], height: int, width: int) -> Person:
    """Somebody seen in a part, in the pixels of the whole picture."""
    corner = np.array([part[1].start, part[0].start])
    silhouette = np.zeros((height, width), np.float32)
    silhouette[part] = person.silhouette
    points = Keypoints((person.keypoints.points + corner).astype(np.float32), person.keypoints.confidence)
    return Person(points, silhouette, person.hands + corner)


def _is_same(one: Person, other: Person) -> bool:
    a, b = one.silhouette > 0.5, other.silhouette > 0.5
    return float((a & b).sum()) > 0.4 * min(float(a.sum()), float(b.sum()))


def choose_person(people: Sequence[_Found], index: int | None = None, photo: str = "the photo") -> _Found:
    """The largest, or person `index` with 0 the largest; `UserError` where `photo` shows nobody, or not so many."""
    if not people:
        raise UserError(f"nobody is found in {photo}: use one that shows a person from head to thighs, in good light")
    if index is None:
        return people[0]
    if not 0 <= index < len(people):
        raise UserError(f"{len(people)} found in {photo}: no person {index}, choose from 0, the largest")
    return people[index]


def check_usable(keypoints: Keypoints, height: int, width: int, photo: str = "the photo") -> None:
    """`UserError`, with what is wrong with `photo`, which has this size, unless the person can be dressed."""
    shoulders, hips = (Joint.R_SHOULDER, Joint.L_SHOULDER), (Joint.R_HIP, Joint.L_HIP)
    if not any(keypoints.sees(joint) for joint in shoulders):
        raise UserError(f"the person's shoulders are hidden in {photo}: use a photo that shows both, from the front")
    if not any(keypoints.sees(joint) for joint in hips):
        raise UserError(f"{photo} ends above the person's hips, or they are hidden: show head to thighs")
    body = keypoints.completed().points.astype(np.float64)
    torso = float(np.linalg.norm(body[list(hips)].mean(axis=0) - body[Joint.NECK]))
    if torso < _SHORTEST_TORSO:
        raise UserError(
            f"the person is too small in {photo}: {torso:.0f} pixels from neck to hips, {_SHORTEST_TORSO} are needed; "
            "crop closer or use a larger photo"
        )
    if body[Joint.R_SHOULDER, 0] - body[Joint.L_SHOULDER, 0] > 0.2 * torso:
        raise UserError(f"the person's back is turned in {photo}: use a photo from the front")
    inside = [0 <= body[joint, 0] < width and 0 <= body[joint, 1] < height for joint in shoulders]
    if not any(inside):
        raise UserError(f"the person's shoulders lie outside {photo}: show head to thighs")


def _person(landmarks: Sequence[Any], seen: NDArray[np.float32], height: int, width: int) -> Person:
    import cv2

    table = np.array([(mark.x * width, mark.y * height, mark.visibility) for mark in landmarks], np.float64)
    margin = np.array([_OUTSIDE * width, _OUTSIDE * height])
    outside = np.any((table[:, :2] < -margin) | (table[:, :2] > np.array([width, height]) + margin), axis=1)
    table[outside | (table[:, 2] < _SURE), 2] = 0.0
    points = np.array([table[list(rows), :2].mean(axis=0) for rows in _LANDMARKS.values()], np.float32)
    confidence = np.array([table[list(rows), 2].min() for rows in _LANDMARKS.values()], np.float32)
    hands = np.array([[table[k, :2] if table[k, 2] > 0 else (np.nan, np.nan) for k in hand] for hand in _HANDS])
    hands[np.isnan(hands).any(axis=(1, 2))] = np.nan
    silhouette = cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR)
    return Person(Keypoints(points, confidence), np.asarray(np.clip(silhouette, 0, 1), np.float32), hands)


@contextmanager
def _pose_estimator() -> Iterator[Any]:
    # All the while: its threads still print after what started them has returned.
    with quiet_stderr():
        try:
            with _without_matplotlib():
                from mediapipe.python.solutions.pose import Pose
        except ModuleNotFoundError as error:
            raise UserError(
                "finding people in photos needs MediaPipe: pip install 'lite-vton[photos]', or give their keypoints "
                "as OpenPose JSON (--keypoints)"
            ) from error
        estimator = Pose(static_image_mode=True, model_complexity=1, enable_segmentation=True)
        try:
            yield estimator
        finally:
            estimator.close()


@contextmanager
def _without_matplotlib() -> Iterator[None]:
    """MediaPipe 0.10 imports it for drawings that nobody here makes (`mediapipe/python/solutions/drawing_utils.py`).

    That would take half a second and 30 MB of every `run`.
    """
    names = ("matplotlib", "matplotlib.pyplot")
    missing = [name for name in names if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in missing})
    sys.modules["matplotlib"].pyplot = sys.modules["matplotlib.pyplot"]  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]
