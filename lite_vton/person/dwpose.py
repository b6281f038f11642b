"""Keypoints of the people in a photo by DWPose's networks, from the ONNX files its authors publish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.libraries.hub_cache import checkpoint_at
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.onnx_network import PictureNetwork, open_network
from lite_vton.person.yolox import person_boxes

__all__ = ["DETECTOR_FILE", "POSE_FILE", "dwpose_people"]

DETECTOR_FILE = "yolox_l.onnx"
"""The person detector, as it is published."""

POSE_FILE = "dw-ll_ucoco_384.onnx"
"""The pose network, as it is published."""

_MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # ImageNet's, RGB
_DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
_ROOM = 1.25  # sides of what the network sees, in sides of the person's box
_SURE = 0.3  # a lower score is no point, as in DWPose's own drawings

# Numbers of keypoints with COCO's 17 in front: COCO, Halpe, COCO-WholeBody.
_LAYOUTS = (17, 26, 133)
_COCO: Mapping[Joint, int] = MappingProxyType(
    {
        Joint.NOSE: 0,
        Joint.L_EYE: 1,
        Joint.R_EYE: 2,
        Joint.L_EAR: 3,
        Joint.R_EAR: 4,
        Joint.L_SHOULDER: 5,
        Joint.R_SHOULDER: 6,
        Joint.L_ELBOW: 7,
        Joint.R_ELBOW: 8,
        Joint.L_WRIST: 9,
        Joint.R_WRIST: 10,
        Joint.L_HIP: 11,
        Joint.R_HIP: 12,
        Joint.L_KNEE: 13,
        Joint.R_KNEE: 14,
        Joint.L_ANKLE: 15,
        Joint.R_ANKLE: 16,
    }
)


def dwpose_people(pixels: NDArray[np.uint8], folder: Path) -> list[Keypoints]:
    """The people in pixels (H, W, 3) RGB, largest box first; empty where nobody is found.

    `folder` holds `DETECTOR_FILE` and `POSE_FILE`, itself, in a folder `dwpose` or as a model of Hugging Face's cache.
    It may also be the pose network's file alone, whatever its name: then the whole photo is one person's box. Points
    are in pixels of the photo; one that the network is not sure of is 0, 0 with confidence 0. `UserError` for files
    that are missing, no ONNX, or other networks.
    """
    detector = None if folder.is_file() else _file_in(folder, DETECTOR_FILE)
    network = open_network(folder if detector is None else _file_in(folder, POSE_FILE), outputs=2)
    whole = np.array([[0, 0, pixels.shape[1], pixels.shape[0]]], np.float64)
    boxes = whole if detector is None else person_boxes(pixels, detector)
    people = [_person(pixels, box, network) for box in boxes]
    return [person for person in people if person.visible.any()]


def _file_in(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise UserError(
            f"there is no {folder}: give the folder with DWPose's {DETECTOR_FILE} and {POSE_FILE}, "
            "or the pose network's file"
        )
    for place in (folder, *(each for each in sorted(folder.iterdir()) if each.name.lower() == "dwpose")):
        if (found := checkpoint_at(place) / name).is_file():
            return found
    raise UserError(
        f"{folder} has no {name}: put DWPose's {DETECTOR_FILE} and {POSE_FILE} there, "
        "or give the pose network's file alone"
    )


def _person(pixels: NDArray[np.uint8], box: NDArray[np.float64], network: PictureNetwork) -> Keypoints:
    size = np.array([network.width, network.height])
    scale = _ROOM * float(((box[2:] - box[:2]) / size).max())  # photo pixels per pixel that the network sees
    origin = (box[:2] + box[2:]) / 2 - scale * size / 2
    seen = (_view(pixels, origin, scale, network.height, network.width) - _MEAN) / _DEVIATION
    places, scores = _peaks(network(seen), network)
    return _coco_18(places * scale + origin, np.where(scores > _SURE, scores, 0).clip(0, 1))


def _view(
    pixels: NDArray[np.uint8], origin: NDArray[np.float64], scale: float, height: int, width: int
) -> NDArray[np.uint8]:
    """(height, width, 3) in which x shows the photo's origin + scale x; black beyond the photo."""
    import cv2

    end = np.minimum(np.ceil(origin + scale * np.array([width, height])), pixels.shape[1::-1]).astype(int)
    start = np.maximum(np.floor(origin), 0).astype(int)
    part = pixels[start[1] : end[1], start[0] : end[0]]
    full = np.array(part.shape[1::-1])
    small = np.maximum(np.rint(full / max(scale, 1.0)), 1).astype(int)
    if (small < full).any():
        # Linear interpolation alone would skip most pixels of a large photo.
        part = np.asarray(cv2.resize(part, (int(small[0]), int(small[1])), interpolation=cv2.INTER_AREA), np.uint8)
    step = full / small  # photo pixels per pixel of `part`
    shift = (start + step / 2 - 0.5 - origin) / scale
    matrix = np.array([[step[0] / scale, 0, shift[0]], [0, step[1] / scale, shift[1]]])
    return np.asarray(cv2.warpAffine(part, matrix, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def _peaks(
    answers: list[NDArray[np.float32]], network: PictureNetwork
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """(17, 2) where in the network's picture each of COCO's points is, and (17,) scores.

    SimCC: one row of bins a point along x, one along y, several bins a pixel; the lower of both peaks is the score.
    """
    shapes = [answer.shape for answer in answers]
    match shapes:
        case [(1, int(points), int(columns)), (1, int(same), int(rows))] if (
            points == same
            and points in _LAYOUTS
            and columns >= network.width
            and columns * network.height == rows * network.width
        ):
            pass
        case _:
            counts = ", ".join(str(count) for count in _LAYOUTS)
            raise UserError(
                f"{network.file} answers {' and '.join(str(shape) for shape in shapes)}: expected SimCC, "
                f"(1, points, {network.width} r) and (1, points, {network.height} r) with points one of {counts}"
            )
    bins = np.stack([answer[0, : len(_COCO)].argmax(axis=1) for answer in answers], axis=1)
    scores = np.min([answer[0, : len(_COCO)].max(axis=1) for answer in answers], axis=0)
    return bins * (network.width / columns), np.asarray(scores, np.float32)


def _coco_18(points: NDArray[np.float64], confidence: NDArray[np.float32]) -> Keypoints:
    """COCO's 17 in OpenPose's order, with a neck between the shoulders."""
    ordered = np.zeros((len(Joint), 2), np.float32)
    sure = np.zeros(len(Joint), np.float32)
    ordered[list(_COCO)] = points[list(_COCO.values())]
    sure[list(_COCO)] = confidence[list(_COCO.values())]
    shoulders = [Joint.R_SHOULDER, Joint.L_SHOULDER]
    ordered[Joint.NECK] = ordered[shoulders].mean(axis=0)
    sure[Joint.NECK] = sure[shoulders].min()
    ordered[sure == 0] = 0
    return Keypoints(ordered, sure)
