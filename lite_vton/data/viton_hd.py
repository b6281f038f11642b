"""Reading VITON-HD: its published folder, or a synthetic one in the same layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from lite_vton.category import Category
from lite_vton.data.layout import FOLDERS, SPLITS, find_part, has_folder, is_there, part_file
from lite_vton.data.pair_list import Pair, read_pairs
from lite_vton.data.sample import Garment, PairFolder, Split, Truth, TryOnSample, check_same_size, check_shape, resized
from lite_vton.errors import UserError
from lite_vton.garment.cut import Cut
from lite_vton.garment.cut_file import load_cut
from lite_vton.garment.cutout import cut_out
from lite_vton.mask.plain import plain_mask
from lite_vton.person.keypoints import Keypoints, read_keypoints
from lite_vton.person.parse import read_parse
from lite_vton.person.parse_labels import GARMENT, Part
from lite_vton.photo.crop import Crop, take_labels
from lite_vton.photo.files import Photo, load_mask, load_photo
from lite_vton.presets.config import MaskKind
from lite_vton.tryon.given import Names, check_person
from lite_vton.tryon.inputs import FloatArray

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
        missing = [FOLDERS[kind][0] for kind in needed if not has_folder(self._folder, kind)]
        if missing:
            raise UserError(f"{self._folder} lacks {', '.join(missing)}: unpack VITON-HD as published")
        lists = [folder / f"{split}_pairs.txt" for folder in (self.root, self._folder)]
        pairs = read_pairs(lists[1] if is_there(lists[1]) and not is_there(lists[0]) else lists[0])
        own = dict.fromkeys(Pair(pair.person, pair.person) for pair in pairs)
        super().__init__(list(own) if paired else pairs, height, width, mask)

    def _truth(self, pair: Pair) -> Truth:
        size = (self.height, self.width)
        file, mask_file = (self._file(kind, pair.person) for kind in ("person", _MASKED_BY[self.mask]))
        person = load_photo(file)
        check_shape(file, person.pixels, *size, "what is asked for")
        points_file = self._file("keypoints", pair.person)
        keypoints = read_keypoints(points_file)
        read = self._plain_mask if self.mask == "plain" else self._improved_mask
        mask = read(mask_file, person, keypoints, str(points_file))
        keypoints = keypoints.moved(Crop(0, 0, person.width, person.height), *size)
        return Truth(pair.person, resized(person.pixels, *size), mask, keypoints)

    def _plain_mask(self, file: Path, person: Photo, keypoints: Keypoints, points: str) -> FloatArray:
        size = (person.height, person.width)
        parse = check_same_size(file, read_parse(file), *size)
        labels = take_labels(parse, Crop(0, 0, person.width, person.height), self.height, self.width)
        mask = plain_mask(np.isin(labels, GARMENT), str(file))
        check_person(keypoints, *size, parse=parse, names=Names(points, parse=str(file)))
        return mask

    def _improved_mask(self, file: Path, person: Photo, keypoints: Keypoints, points: str) -> FloatArray:
        size = (person.height, person.width)
        mask = check_same_size(file, load_mask(file), *size)
        check_person(keypoints, *size, mask=mask, names=Names(points, mask=str(file)))
        return (resized(mask, self.height, self.width) > 127).astype(np.float32)

    def _garment(self, pair: Pair) -> Garment:
        cloth = load_photo(self._file("cloth", pair.cloth))
        file = self._file("cloth_mask", pair.cloth)
        mask = check_same_size(file, load_mask(file), cloth.height, cloth.width)
        cutout = cut_out(Photo(cloth.pixels), mask, self._cut(pair.cloth), str(file))
        return Garment(cloth.pixels, cutout, self._category(pair.cloth))

    def _cut(self, cloth_name: str) -> Cut | None:
        """Known for garments that `lite_vton.worn.flat_lay` laid flat."""
        path = find_part(self._folder, "cut", cloth_name)
        return None if path is None else load_cut(path)

    def _category(self, cloth_name: str) -> Category:
        """What a garment is shows on the person who wears it; without a parse it is an upper garment."""
        path = find_part(self._folder, "parse", cloth_name)
        if path is None:
            return "upper"
        count = np.bincount(read_parse(path).ravel(), minlength=256)
        return "dress" if count[Part.DRESS] > count[Part.UPPER_CLOTHES] else "upper"

    def _file(self, kind: str, picture: str) -> Path:
        path = find_part(self._folder, kind, picture)
        if path is not None:
            return path
        wanted = part_file(self._folder, kind, picture)
        other = {"person": "cloth", "cloth": "person"}.get(kind)
        if other is not None and find_part(self._folder, other, picture) is not None:
            raise UserError(
                f"{wanted} is missing, but {FOLDERS[other][0]}/ has {picture}: "
                f"in {self.split}_pairs.txt write the person first, then the garment"
            )
        raise UserError(f"{wanted} is missing, though {self.split}_pairs.txt names {picture}: copy the dataset again")
