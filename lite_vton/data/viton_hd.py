"""Reading VITON-HD: its published folder, or a synthetic one in the same layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from lite_vton.crop import Crop, take_labels
from lite_vton.cut import Cut
from lite_vton.data.cut_file import load_cut
from lite_vton.data.labels import GARMENT, Part
from lite_vton.data.layout import FOLDERS, SPLITS, part_file
from lite_vton.data.parse import read_parse
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
from lite_vton.inputs import FloatArray
from lite_vton.mask import Category
from lite_vton.photo import Photo, load_photo
from lite_vton.plain_mask import plain_mask
from lite_vton.pose import Keypoints, read_keypoints
from lite_vton.presets import MaskKind

__all__ = ["TryOnSample", "VitonHD"]

_NEEDED = ("person", "cloth", "cloth_mask", "keypoints")
_MASKED_BY: Mapping[MaskKind, str] = MappingProxyType({"plain": "parse", "improved": "mask"})
"""For each kind of mask the kind of file it is read from."""


class VitonHD(PairFolder):
    """The pairs of one split; nothing is read before it is asked for, so it is cheap to hand to other processes."""

    def __init__(
        self,
        root: str | Path,
        split: Split = "train",
        paired: bool = True,
        height: int = 256,
        width: int = 192,
        mask: MaskKind = "improved",
    ) -> None:
        """Pictures of any size are resized to (height, width); VITON-HD's are 1024x768, so 4:3 keeps their shape.

        `paired` gives everyone their own garment, else the one `<split>_pairs.txt` names. An improved mask is the
        dataset's own (`agnostic-mask`), a plain one the garment of its parse (`image-parse-v3`).
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
        needed = (*_NEEDED, _MASKED_BY[mask])
        missing = [FOLDERS[kind][0] for kind in needed if not (self._folder / FOLDERS[kind][0]).is_dir()]
        if missing:
            raise UserError(f"{self._folder} lacks {', '.join(missing)}: unpack VITON-HD as published")
        pairs = read_pairs(self.root / f"{split}_pairs.txt")
        super().__init__([Pair(p.person, p.person) for p in pairs] if paired else pairs, height, width, mask)

    def _truth(self, pair: Pair) -> Truth:
        size = (self.height, self.width)
        file, mask_file = (self._file(kind, pair.person) for kind in ("person", _MASKED_BY[self.mask]))
        person = load_photo(file)
        check_shape(file, person.pixels, *size, "what is asked for")
        keypoints = read_keypoints(self._file("keypoints", pair.person))
        keypoints = keypoints.moved(Crop(0, 0, person.width, person.height), *size)
        read = self._plain_mask if self.mask == "plain" else self._improved_mask
        return Truth(pair.person, resized(person.pixels, *size), read(mask_file, person, keypoints), keypoints)

    def _plain_mask(self, file: Path, person: Photo, _keypoints: Keypoints) -> FloatArray:
        parse = read_parse(file)
        check_shape(file, parse, person.height, person.width, "its photo")
        labels = take_labels(parse, Crop(0, 0, parse.shape[1], parse.shape[0]), self.height, self.width)
        return plain_mask(np.isin(labels, GARMENT), str(file))

    def _improved_mask(self, file: Path, person: Photo, keypoints: Keypoints) -> FloatArray:
        drawn = load_photo(file)
        check_shape(file, drawn.pixels, person.height, person.width, "its photo")
        mask = (resized(drawn.pixels[..., 0], self.height, self.width) > 127).astype(np.float32)
        check_torso(file, mask, keypoints)
        return mask

    def _garment(self, pair: Pair) -> Garment:
        cloth = load_photo(self._file("cloth", pair.cloth))
        cloth_mask = load_photo(self._file("cloth_mask", pair.cloth)).pixels
        # In the published set some masks differ from their picture by a rounding.
        cutout = cut_out(Photo(cloth.pixels), resized(cloth_mask, cloth.height, cloth.width), self._cut(pair.cloth))
        return Garment(cloth.pixels, cutout, self._category(pair.cloth))

    def _cut(self, cloth_name: str) -> Cut | None:
        """Known for garments that `lite_vton.worn` laid flat."""
        path = part_file(self._folder, "cut", cloth_name)
        return load_cut(path) if path.is_file() else None

    def _category(self, cloth_name: str) -> Category:
        """What a garment is shows on the person who wears it; without a parse it is an upper garment."""
        path = part_file(self._folder, "parse", cloth_name)
        if not path.is_file():
            return "upper"
        count = np.bincount(read_parse(path).ravel(), minlength=256)
        return "dress" if count[Part.DRESS] > count[Part.UPPER_CLOTHES] else "upper"

    def _file(self, kind: str, picture: str) -> Path:
        path = part_file(self._folder, kind, picture)
        if not path.is_file():
            raise UserError(f"{path} is missing, though {self.split}_pairs.txt names {picture}: copy the dataset again")
        return path
