"""A folder in Clothing Co-Parsing's layout, of drawn people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.person.parse_labels import Part

LABELS = [
    "null", "accessories", "bag", "belt", "blazer", "blouse", "bodysuit", "boots", "bra", "bracelet", "cape",
    "cardigan", "clogs", "coat", "dress", "earrings", "flats", "glasses", "gloves", "hair", "hat", "heels", "hoodie",
    "intimate", "jacket", "jeans", "jumper", "leggings", "loafers", "necklace", "panties", "pants", "pumps", "purse",
    "ring", "romper", "sandals", "scarf", "shirt", "shoes", "shorts", "skin", "skirt", "sneakers", "socks",
    "stockings", "suit", "sunglasses", "sweater", "sweatshirt", "swimwear", "t-shirt", "tie", "tights", "top", "vest",
    "wallet", "watch", "wedges",
]  # fmt: skip

_CALLED = {
    Part.HAIR: "hair",
    Part.UPPER_CLOTHES: "t-shirt",
    Part.DRESS: "dress",
    Part.TROUSERS: "pants",
    Part.SKIRT: "skirt",
    Part.LEFT_SHOE: "shoes",
    Part.RIGHT_SHOE: "shoes",
    **dict.fromkeys((Part.FACE, Part.TORSO_SKIN, Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_LEG, Part.RIGHT_LEG), "skin"),
}

Pixels = NDArray[np.uint8]
Photo = tuple[Pixels, Pixels]


def drawn(index: int, height: int = 512, width: int = 384) -> tuple[Pair, Pixels]:
    """A drawn pair and its parse as Clothing Co-Parsing would label it."""
    pair = draw_pair(5, index, height, width)
    labels = np.zeros(pair.parse.shape, np.uint8)
    for part, name in _CALLED.items():
        labels[pair.parse == part] = LABELS.index(name)
    return pair, labels


def write_source(folder: Path, photos: Mapping[int, Photo], labels: list[str] = LABELS) -> Path:
    """Photos (H, W, 3) and their labels (H, W), by number."""
    (folder / "photos").mkdir(parents=True)
    (folder / "annotations/pixel-level").mkdir(parents=True)
    savemat(folder / "label_list.mat", {"label_list": np.array([labels], object)})
    for number, (pixels, parse) in photos.items():
        Image.fromarray(pixels).save(folder / f"photos/{number:04d}.jpg", quality=95)
        savemat(folder / f"annotations/pixel-level/{number:04d}.mat", {"groundtruth": parse})
    return folder
