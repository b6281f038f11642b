"""The LIP labels and palette of VITON-HD's `image-parse-v3`."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["BOTTOM", "GARMENT", "PALETTE", "Part"]


class Part(IntEnum):
    """What a pixel of a parse shows. Left and right are the person's own."""

    BACKGROUND = 0
    HAIR = 2
    UPPER_CLOTHES = 5
    DRESS = 6
    COAT = 7
    TROUSERS = 9
    TORSO_SKIN = 10
    SKIRT = 12
    FACE = 13
    LEFT_ARM = 14
    RIGHT_ARM = 15
    LEFT_LEG = 16
    RIGHT_LEG = 17
    LEFT_SHOE = 18
    RIGHT_SHOE = 19


GARMENT = (Part.UPPER_CLOTHES, Part.DRESS, Part.COAT)
"""What a try-on of an upper garment or a dress takes off."""

BOTTOM = (Part.TROUSERS, Part.SKIRT)
"""What a try-on of trousers or a skirt takes off."""

PALETTE = (
    (0, 0, 0), (128, 0, 0), (254, 0, 0), (0, 85, 0), (169, 0, 51), (254, 85, 0), (0, 0, 85), (0, 119, 220),
    (85, 85, 0), (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 254), (51, 169, 220), (0, 254, 254),
    (85, 254, 169), (169, 254, 85), (254, 254, 0), (254, 169, 0),
)  # fmt: skip
"""RGB of labels 0 to 19, as published parses show them."""
