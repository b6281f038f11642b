"""What each of Clothing Co-Parsing's labels is in LIP's terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.labels import Part
from lite_vton.errors import UserError

__all__ = ["MEANINGS", "NOTHING", "OVER", "Kind", "Meanings", "meanings_of"]


class Kind(Enum):
    """Meanings that LIP splits: where on the body a pixel is decides which part it is."""

    SKIN = auto()  # face, torso, arms and legs are one label
    LEG = auto()  # left or right
    SHOE = auto()
    ARM = auto()
    OVER = auto()  # carried or worn over everything: it hides what is below it, and LIP has no label for it


NOTHING = "null"
"""The label of the background."""

OVER = 254
"""In a parse of `Meanings.parts`, what is carried or worn over everything else."""

MEANINGS: Mapping[str, Part | Kind] = MappingProxyType(
    {
        NOTHING: Part.BACKGROUND,
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

_CODES: Mapping[Kind, int] = MappingProxyType(
    {Kind.OVER: OVER, Kind.SKIN: 250, Kind.LEG: 251, Kind.SHOE: 252, Kind.ARM: 253}
)


@dataclass(frozen=True)
class Meanings:
    """`codes` (n,) uint8, what each label of a parse map means: a `Part`, or a kind that the body decides."""

    codes: NDArray[np.uint8]

    def of(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Codes (H, W) of labels (H, W), all below the number of names."""
        return self.codes[labels]

    @staticmethod
    def code(kind: Kind) -> int:
        """The code of what LIP splits."""
        return _CODES[kind]


def meanings_of(names: Sequence[str]) -> Meanings:
    """By the names of a dataset's labels, in their order. `UserError` naming one that is none of the 59."""
    unknown = [name for name in names if name not in MEANINGS]
    if unknown:
        raise UserError(f"label_list.mat names {', '.join(map(repr, unknown))}, which Clothing Co-Parsing has not")
    found = [MEANINGS[name] for name in names]
    return Meanings(np.array([_CODES[m] if isinstance(m, Kind) else int(m) for m in found], np.uint8))
