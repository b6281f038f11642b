"""Flat trousers and skirts drawn on the spot, and someone to wear them."""

from __future__ import annotations

import numpy as np

from lite_vton.person.keypoints import Joint, Keypoints

STANDING = np.array([
    (96, 50), (96, 84), (60, 86), (52, 134), (46, 180), (132, 86), (140, 134), (146, 180), (76, 182),
    (74, 262), (74, 334), (116, 182), (118, 262), (118, 334), (88, 42), (104, 42), (78, 48), (114, 48),
], np.float32)  # fmt: skip

ARMS = (Joint.R_ELBOW, Joint.R_WRIST, Joint.L_ELBOW, Joint.L_WRIST)


def standing(*missing: Joint) -> Keypoints:
    confidence = np.ones(18, np.float32)
    confidence[list(missing)] = 0
    return Keypoints(STANDING, confidence)


def trousers(leg: int, gap: int = 12, hem: int = 70) -> tuple[np.ndarray, np.ndarray]:
    """(520, 400, 3) and its mask: waistband at row 20, legs parting at row 120 and `leg` pixels long from there.

    Red grows to the right and green downwards, so a colour tells the place it comes from.
    """
    import cv2

    mask = np.zeros((520, 400), np.float32)
    for sign in (-1, 1):
        x = [200, 200 + sign * gap, 200 + sign * (gap + hem), 200 + sign * 90, 200 + sign * 72]
        corners = np.array(list(zip(x, (120, 120 + leg, 120 + leg, 105, 20), strict=True)))
        cv2.fillPoly(mask, [np.vstack([corners, [[200, 20]]]).astype(np.int32)], (1.0,))
    return _places(mask), mask


def skirt(length: int, hem: int) -> tuple[np.ndarray, np.ndarray]:
    """(520, 400, 3) and its mask: waistband at row 20, 140 wide; `length` and half the width at the hem in pixels."""
    import cv2

    mask = np.zeros((520, 400), np.float32)
    corners = np.array([(130, 20), (270, 20), (200 + hem, 20 + length), (200 - hem, 20 + length)], np.int32)
    cv2.fillPoly(mask, [corners], (1.0,))
    return _places(mask), mask


def _places(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]]
    pixels = np.stack([columns * 255 / 400, rows * 255 / 520, np.full(mask.shape, 200)], axis=-1)
    return np.where(mask[..., None] > 0, pixels, 0).astype(np.uint8)
