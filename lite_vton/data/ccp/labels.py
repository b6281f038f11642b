"""What each of Clothing Co-Parsing's labels is in LIP's terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.person.parse_labels import Part

__all__ = ["MEANINGS", "Kind", "meanings_of"]


class Kind(IntEnum):
    """Meanings that LIP splits, or has no label for; their values are none of `Part`'s.

    Where on the body a pixel is decides whether skin is face, torso, arm or leg, and whether the others are left or
    right. What is carried, or worn over everything, hides what is below it.
    """

    SKIN = 250
    LEG = 251
    SHOE = 252
    ARM = 253
    OVER = 254


MEANINGS: Mapping[str, Part | Kind] = MappingProxyType(
    {
        "null": Part.BACKGROUND,
        "hair": Part.HAIR,
        # Nothing of the head is ever repainted, whatever is worn on it.
        "hat": Part.HAIR,
        "glasses": Part.FACE,
        "sunglasses": Part.FACE,
        "earrings": Part.FACE,
        "skin": Kind.SKIN,
        "necklace": Kind.SKIN,
        "bracelet": Kind.ARM,
        "watch": Kind.ARM,
        "ring": Kind.ARM,
        "gloves": Kind.ARM,
        # Upper garments, from the skin outwards.
        "bra": Part.UPPER_CLOTHES,
        "intimate": Part.UPPER_CLOTHES,
        "swimwear": Part.UPPER_CLOTHES,
        "bodysuit": Part.UPPER_CLOTHES,
        "t-shirt": Part.UPPER_CLOTHES,
        "top": Part.UPPER_CLOTHES,
        "blouse": Part.UPPER_CLOTHES,
        "shirt": Part.UPPER_CLOTHES,
        "tie": Part.UPPER_CLOTHES,
        "sweater": Part.UPPER_CLOTHES,
        "sweatshirt": Part.UPPER_CLOTHES,
        "hoodie": Part.UPPER_CLOTHES,
        "jumper": Part.UPPER_CLOTHES,
        "vest": Part.UPPER_CLOTHES,
        "cardigan": Part.COAT,
        "blazer": Part.COAT,
        "suit": Part.COAT,  # its jacket: the trousers are labelled as such
        "jacket": Part.COAT,
        "coat": Part.COAT,
        "cape": Part.COAT,
        "dress": Part.DRESS,
        "romper": Part.DRESS,
        # Below the waist.
        "panties": Part.TROUSERS,
        "pants": Part.TROUSERS,
        "jeans": Part.TROUSERS,
        "shorts": Part.TROUSERS,
        "leggings": Part.TROUSERS,
        "skirt": Part.SKIRT,
        "stockings": Kind.LEG,
        "tights": Kind.LEG,
        "socks": Kind.LEG,
        "shoes": Kind.SHOE,
        "boots": Kind.SHOE,
        "clogs": Kind.SHOE,
        "flats": Kind.SHOE,
        "heels": Kind.SHOE,
        "loafers": Kind.SHOE,
        "pumps": Kind.SHOE,
        "sandals": Kind.SHOE,
        "sneakers": Kind.SHOE,
        "wedges": Kind.SHOE,
        "accessories": Kind.OVER,
        "bag": Kind.OVER,
        "belt": Kind.OVER,
        "purse": Kind.OVER,
        "scarf": Kind.OVER,
        "wallet": Kind.OVER,
    }
)
"""Each of the 59 names."""


def meanings_of(names: Sequence[str]) -> NDArray[np.uint8]:
    """(n,) what each label means, a `Part` or a `Kind`, by the labels' names in their order.

    `UserError` naming one that is none of the 59.
    """
    unknown = [name for name in names if name not in MEANINGS]
    if unknown:
        raise UserError(
            f"label_list.mat names {', '.join(map(repr, unknown))}, no label of Clothing Co-Parsing: "
            "copy the dataset as published"
        )
    return np.array([MEANINGS[name] for name in names], np.uint8)
