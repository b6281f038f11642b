"""Reading VITON-HD: its published folder, or a synthetic one in the same layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from lite_vton.crop import Crop
from lite_vton.data.labels import Part
from lite_vton.data.layout import FOLDERS, SPLITS, part_file
from lite_vton.data.sample import (
    Garment,
    Pair,
    PairFolder,
    Split,
    Truth,
    TryOnSample,
    check_shape,
    check_torso,
    read_pairs,
    resized,
)
from lite_vton.errors import UserError
from lite_vton.garment import cut_out
from lite_vton.mask import Category
from lite_vton.photo import Photo, load_photo
from lite_vton.pose import read_keypoints

__all__ = ["TryOnSample", "VitonHD"]

_NEEDED = ("person", "cloth", "cloth_mask", "mask", "keypoints")


class VitonHD(PairFolder):
    """The pairs of one split; nothing is read before it is asked for, so it is cheap to hand to other processes."""

    def __init__(
        self,
        root: str | Path,
        split: Split = "train",
        paired: bool = True,
        height: int = 256,
        width: int = 192,
    ) -> None:
        """Pictures of any size are resized to (height, width); VITON-HD's are 1024x768, so 4:3 keeps their shape.

        `paired` gives everyone their own garment, else the one `<split>_pairs.txt` names.
        `UserError` for a folder, list or kind of file that is missing, and for a list line that names no pair; when a
        sample is read, for a file that is missing or broken, a person of another shape than (height, width), and a
        mask that leaves the torso out.
        """
        self.root, self.split = Path(root), split
        if split not in SPLITS:
            raise UserError(f"no split {split!r}: choose one of {', '.join(SPLITS)}")
        if not self.root.is_dir():
            raise UserError(f"no dataset at {self.root}: name the folder that holds {split}/ and {split}_pairs.txt")
        self._folder = self.root / split
        missing = [FOLDERS[kind][0] for kind in _NEEDED if not (self._folder / FOLDERS[kind][0]).is_dir()]
        if missing:
            raise UserError(f"{self._folder} lacks {', '.join(missing)}: unpack VITON-HD as published")
        pairs = read_pairs(self.root / f"{split}_pairs.txt")
        super().__init__([Pair(p.person, p.person) for p in pairs] if paired else pairs, height, width)

    def _truth(self, pair: Pair) -> Truth:
        size = (self.height, self.width)
        file, mask_file = self._file("person", pair.person), self._file("mask", pair.person)
        person, drawn_mask = load_photo(file), load_photo(mask_file)
        check_shape(file, person, *size, "what is asked for")
        check_shape(mask_file, drawn_mask, person.height, person.width, "its photo")
        keypoints = read_keypoints(self._file("keypoints", pair.person))
        keypoints = keypoints.moved(Crop(0, 0, person.width, person.height), *size)
        mask = (resized(drawn_mask.pixels[..., 0], *size) > 127).astype(np.float32)
        check_torso(mask_file, mask, keypoints)
        return Truth(pair.person, resized(person.pixels, *size), mask, keypoints)

    def _garment(self, pair: Pair) -> Garment:
        cloth = load_photo(self._file("cloth", pair.cloth))
        cloth_mask = load_photo(self._file("cloth_mask", pair.cloth)).pixels
        # In the published set some masks differ from their picture by a rounding.
        cutout = cut_out(Photo(cloth.pixels), resized(cloth_mask, cloth.height, cloth.width))
        return Garment(cloth.pixels, cutout, self._category(pair.cloth))

    def _category(self, cloth_name: str) -> Category:
        """What a garment is shows on the person who wears it; without a parse it is an upper garment."""
        path = part_file(self._folder, "parse", cloth_name)
        if not path.is_file():
            return "upper"
        try:
            with Image.open(path) as image:
                count = np.bincount(np.asarray(image).ravel().astype(np.uint8), minlength=256)
        except (OSError, UnidentifiedImageError) as error:
            raise UserError(f"cannot read {path}: copy it again from the dataset") from error
        return "dress" if count[Part.DRESS] > count[Part.UPPER_CLOTHES] else "upper"

    def _file(self, kind: str, picture: str) -> Path:
        path = part_file(self._folder, kind, picture)
        if not path.is_file():
            raise UserError(f"{path} is missing, though {self.split}_pairs.txt names {picture}: copy the dataset again")
        return path
