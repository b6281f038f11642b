"""ICC profiles made by hand: LittleCMS makes none but sRGB, Lab and XYZ."""

from __future__ import annotations

import struct

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
"""X, Y, Z of red, green and blue, adapted to D50."""
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))


def rgb_profile(colours: tuple[tuple[float, float, float], ...], gamma: float = 2.2) -> bytes:
    """A display profile by three colours and one gamma."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"wtpt": _xyz(D50), b"desc": _described(), b"cprt": b"text" + bytes(4) + b"none\0"}
    for letter, colour in zip("rgb", colours, strict=True):
        tags[f"{letter}XYZ".encode()] = _xyz(colour)
        tags[f"{letter}TRC".encode()] = curve
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """A display profile of greys."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    return _profile(
        b"GRAY", {b"wtpt": _xyz(D50), b"desc": _described(), b"kTRC": curve, b"cprt": b"text" + bytes(4) + b"none\0"}
    )


def in_space(pixels: np.ndarray, colours: tuple[tuple[float, float, float], ...], gamma: float = 2.2) -> np.ndarray:
    """sRGB pixels (..., 3) uint8 as a space with `rgb_profile` has them, clipped to it."""
    srgb = np.array([(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)]).T
    encoded = pixels / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    other = linear @ (np.linalg.inv(np.array(colours).T) @ srgb).T
    return np.rint(255 * np.clip(other, 0, 1) ** (1 / gamma)).astype(np.uint8)


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _described() -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", 5) + b"made\0" + bytes(4 + 4 + 2 + 1 + 67)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, content = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">II", start + len(content), len(value))
        content += value
    size = start + len(content)
    white = struct.pack(">3i", *(round(value * 65536) for value in D50))
    header = struct.pack(">I4s4s4s4s4s", size, b"none", b"\2\x20\0\0", b"mntr", space, b"XYZ ")
    return (header + bytes(12) + b"acsp" + bytes(28) + white).ljust(128, b"\0") + table + content
