"""Body keypoints in OpenPose's COCO-18 order: read, write, complete, move, draw."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from lite_vton.errors import UserError
from lite_vton.files.text import read_given_bytes, text_of
from lite_vton.photo.crop import Crop

__all__ = [
    "VISIBLE",
    "Joint",
    "Keypoints",
    "body_unit",
    "keypoints_of",
    "read_keypoints",
    "skeleton_picture",
    "write_keypoints",
]

VISIBLE = 0.05
"""Confidence above which a point counts; OpenPose's own default `render_threshold`."""


class Joint(IntEnum):
    """Rows of `Keypoints.points`. Right and left are the person's own."""

    NOSE = 0
    NECK = 1
    R_SHOULDER = 2
    R_ELBOW = 3
    R_WRIST = 4
    L_SHOULDER = 5
    L_ELBOW = 6
    L_WRIST = 7
    R_HIP = 8
    R_KNEE = 9
    R_ANKLE = 10
    L_HIP = 11
    L_KNEE = 12
    L_ANKLE = 13
    R_EYE = 14
    L_EYE = 15
    R_EAR = 16
    L_EAR = 17


@dataclass(frozen=True)
class Keypoints:
    """One person. `points` (18, 2) float32, x and y in pixels; `confidence` (18,) float32 in [0, 1]."""

    points: NDArray[np.float32]
    confidence: NDArray[np.float32]

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(18,) which points count, see `VISIBLE`."""
        return np.asarray(self.confidence > VISIBLE)

    def sees(self, *joints: Joint) -> bool:
        """Whether all these joints are visible."""
        return bool(self.visible[list(joints)].all())

    @property
    def has_torso(self) -> bool:
        """Whether a shoulder and a hip are visible, all that `completed` needs."""
        shoulders, hips = (Joint.R_SHOULDER, Joint.L_SHOULDER), (Joint.R_HIP, Joint.L_HIP)
        return all(bool(self.visible[list(pair)].any()) for pair in (shoulders, hips))

    def moved(self, crop: Crop, height: int, width: int) -> Keypoints:
        """The same person in `crop` resized to (height, width)."""
        scale = np.array([width / crop.width, height / crop.height])
        points = (self.points - np.array([crop.left, crop.top])) * scale
        return Keypoints(points.astype(np.float32), self.confidence)

    def completed(self) -> Keypoints:
        """With neck, both shoulders and both hips: a missing one is mirrored from its twin across the neck's vertical.

        `UserError` where both shoulders or both hips are missing: without them nobody can say where the torso is.
        """
        points, confidence = self.points.copy(), self.confidence.copy()
        shoulders, hips = (Joint.R_SHOULDER, Joint.L_SHOULDER), (Joint.R_HIP, Joint.L_HIP)
        for name, pair in (("shoulders", shoulders), ("hips", hips)):
            if not self.visible[list(pair)].any():
                raise UserError(
                    f"the keypoints show no {name}: use a photo that shows the person from head to thighs, "
                    "facing the camera"
                )
        if not self.sees(Joint.NECK):
            seen = [joint for joint in shoulders if self.sees(joint)]
            points[Joint.NECK] = points[seen].mean(axis=0)
            confidence[Joint.NECK] = confidence[seen].min()
        for pair in (shoulders, hips):
            for missing, twin in (pair, pair[::-1]):
                if not self.sees(missing):
                    points[missing] = points[twin]
                    points[missing, 0] = 2 * points[Joint.NECK, 0] - points[twin, 0]
                    confidence[missing] = confidence[twin]
        return Keypoints(points, confidence)

    def check_inside(self, height: int, width: int) -> None:
        """`UserError` unless some visible point lies in a picture of this size."""
        x, y = self.points[self.visible].T
        if not np.any((x >= 0) & (x < width) & (y >= 0) & (y < height)):
            raise UserError(
                f"all keypoints lie outside the {width}x{height} picture: "
                "give keypoints in pixels of this very photo, made after it was rotated or resized"
            )


def body_unit(points: NDArray[np.float64]) -> float:
    """A length in pixels that follows the person's size: shoulder width, or what the torso suggests if turned.

    `points` (18, 2) of completed keypoints.
    """
    shoulders = float(np.linalg.norm(points[Joint.R_SHOULDER] - points[Joint.L_SHOULDER]))
    hips = (points[Joint.R_HIP] + points[Joint.L_HIP]) / 2
    return max(shoulders, 0.6 * float(np.linalg.norm(hips - points[Joint.NECK])), 2.0)


class _Person(BaseModel):
    pose_keypoints_2d: Annotated[list[float], Field(max_length=1000)]


class _PoseFile(BaseModel):
    people: Annotated[list[_Person], Field(max_length=1000)]


# Rows of each published layout that make up COCO-18, by number of values.
_LAYOUTS = {
    54: tuple(range(18)),
    75: (*range(8), 9, 10, 11, 12, 13, 14, 15, 16, 17, 18),
}
_MID_HIP = 8  # BODY_25 alone has it
_MOST_CONFIDENT = 2.0  # COCO's flag for a joint that is seen; heat maps may rise a little above 1, too


def read_keypoints(path: str | Path, person_index: int | None = None) -> Keypoints:
    """From OpenPose's JSON, BODY_25 (75 values) or COCO-18 (54); of several people the largest, or `person_index`.

    `UserError` for a file that is missing or of another kind, shows nobody, or lacks shoulders or hips.
    """
    content = read_given_bytes(Path(path), f"keypoints {path}")
    return keypoints_of(content, str(path), person_index)


def keypoints_of(content: bytes, name: str, person_index: int | None = None) -> Keypoints:
    """As `read_keypoints`, from the file's bytes; `name` is what errors call it."""
    try:
        people = _PoseFile.model_validate_json(text_of(content, name)).people
    except ValidationError as error:
        raise UserError(
            f"{name} is not OpenPose JSON{_reason(error)}: it needs 'people', each with 'pose_keypoints_2d' as a list "
            "of numbers, x, y and confidence of one joint after the other"
        ) from error
    found = [_from_values(person.pose_keypoints_2d, name) for person in people]
    if person_index is not None:
        if not 0 <= person_index < len(found):
            raise UserError(f"{name} has {len(found)} people: no person {person_index}, choose from 0")
        chosen = found[person_index]
    else:
        found = [person for person in found if person.visible.any()]
        if not found:
            raise UserError(f"{name} shows no people: run the pose estimator on a photo with one person in view")
        chosen = max(found, key=_extent)
    chosen.completed()  # says now what would fail later
    return chosen


def write_keypoints(path: str | Path, keypoints: Keypoints) -> None:
    """As OpenPose's BODY_25 JSON. MidHip is the middle of the hips; feet, which COCO-18 lacks, are 0, 0, 0."""
    values = np.zeros((25, 3), np.float32)
    rows = list(_LAYOUTS[75])
    values[rows, :2] = keypoints.points
    values[rows, 2] = keypoints.confidence
    if keypoints.sees(Joint.R_HIP, Joint.L_HIP):
        values[_MID_HIP] = values[[9, 12]].mean(axis=0)
    flat = [round(float(value), 3) for value in values.ravel()]
    people = [{"person_id": [-1], "pose_keypoints_2d": flat}]
    Path(path).write_text(json.dumps({"version": 1.3, "people": people}), encoding="utf-8")


def _from_values(values: list[float], name: str) -> Keypoints:
    if len(values) not in _LAYOUTS:
        raise UserError(f"{name} has {len(values)} keypoint values a person: BODY_25 has 75, COCO-18 has 54")
    table = np.array(values, np.float64).reshape(-1, 3)[list(_LAYOUTS[len(values)])]
    # Beyond a million pixels nothing is a photo, and float32 would lose the sub-pixel part.
    if not np.isfinite(table).all() or np.abs(table).max() > 1e6:
        raise UserError(f"{name} holds NaN, infinite or absurdly large keypoints: run the pose estimator again")
    confidence = table[:, 2]
    if confidence.min() < 0 or confidence.max() > _MOST_CONFIDENT:
        raise UserError(
            f"{name} holds confidences from {confidence.min():g} to {confidence.max():g}: every third number is one, "
            "from 0, not seen, to 1"
        )
    return Keypoints(table[:, :2].astype(np.float32), np.clip(table[:, 2], 0, 1).astype(np.float32))


def _reason(error: ValidationError) -> str:
    """Where the file is not as it should be, if that helps: a list in place of a number, a name that is missing."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f" ({place}: {first['msg'].lower()})" if place else ""


def _extent(person: Keypoints) -> float:
    # Diagonal, not area: a few points on one line still have a size.
    return float(np.linalg.norm(np.ptp(person.points[person.visible], axis=0)))


# OpenPose's 17 COCO limbs and 18 colours, in its drawing order.
_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10),
    (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
_SUBPIXEL = 4  # fractional bits of cv2's fixed-point coordinates


def skeleton_picture(keypoints: Keypoints, height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB: limbs as ellipses at 60 % brightness, joints as discs, on black.

    OpenPose draws lines of 4 pixels at 512; here they keep that share of the picture at any size.
    """
    import cv2

    canvas = np.zeros((height, width, 3), np.uint8)
    half = max(1.0, min(height, width) * 4 / 512)
    one = 1 << _SUBPIXEL
    # A far-away point would overflow cv2's fixed point; at this distance a limb's direction is the same.
    points = np.clip(keypoints.points, -4 * width - 4 * height, 4 * width + 4 * height).astype(np.float64)
    for (a, b), colour in zip(_LIMBS, _COLOURS, strict=False):
        if not (keypoints.visible[a] and keypoints.visible[b]):
            continue
        centre, along = (points[a] + points[b]) / 2, points[b] - points[a]
        axes = (float(np.hypot(*along)) / 2, half)
        angle = round(np.degrees(np.arctan2(along[1], along[0])))
        outline = cv2.ellipse2Poly((0, 0), (round(axes[0] * one), round(axes[1] * one)), angle, 0, 360, 10)
        shape = outline + np.rint(centre * one).astype(np.int32)
        cv2.fillConvexPoly(canvas, shape, tuple(int(0.6 * c) for c in colour), cv2.LINE_AA, _SUBPIXEL)
    for joint in np.flatnonzero(keypoints.visible):
        x, y = np.rint(points[joint] * one).astype(int)
        cv2.circle(canvas, (int(x), int(y)), round(half * one), _COLOURS[joint], -1, cv2.LINE_AA, _SUBPIXEL)
    return canvas
