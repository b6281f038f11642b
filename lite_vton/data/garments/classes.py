"""What a folder of garments is called, and what its garments are then like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lite_vton.category import Category

__all__ = ["CLASSES", "HEMS", "OTHER", "GarmentClass"]


@dataclass(frozen=True)
class GarmentClass:
    """`category` says how it is worn, `sleeves` the least and most share of the arm that its sleeves cover."""

    category: Category
    sleeves: tuple[float, float] = (0.0, 1.0)


_SOME = 0.01  # of the arm; the cut's shortest sleeve covers 0.02

CLASSES: Mapping[str, GarmentClass] = MappingProxyType(
    {
        "dress": GarmentClass("dress"),
        "longsleeve": GarmentClass("upper", (0.25, 1.0)),
        "outwear": GarmentClass("upper"),
        "shirt": GarmentClass("upper", (_SOME, 1.0)),
        "t-shirt": GarmentClass("upper", (_SOME, 0.7)),
    }
)
"""By the folder's name; the names are those of the clothing dataset by Grigorev (2020)."""

OTHER = GarmentClass("upper")
"""A folder of any other name."""

HEMS: Mapping[Category, tuple[float, float]] = MappingProxyType({"upper": (0.5, 1.45), "dress": (0.8, 2.8)})
"""How far down the hem is, least and most, in torso lengths."""
