"""Reading VITON-HD: its published folder, or a synthetic one in the same layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from lite_vton.crop import Crop
from lite_vton.data.labels import Part
from lite_vton.data.layout import FOLDERS, SPLITS, part_file
from lite_vton.errors import UserError
from lite_vton.garment import cut_out
from lite_vton.inputs import FloatArray, TryOnInputs, to_network
from lite_vton.mask import Category
from lite_vton.photo import Photo, load_photo
from lite_vton.pose import read_keypoints, skeleton_picture
from lite_vton.warp import warp_garment

__all__ = ["TryOnSample", "VitonHD"]

_NEEDED = ("person", "cloth", "cloth_mask", "mask", "keypoints")


@dataclass(frozen=True)
class TryOnSample:
    """One person and one garment at the reader's size.

    `target`       (1, 3, H, W) float32 in [-1, 1], the person as photographed: the answer if the pair is paired
    `garment`      (h, w, 3) uint8 RGB, the shop's picture as it lies on disk
    `warped`       (H, W, 3) uint8 RGB and `warped_mask` (H, W) float32 in [0, 1], the garment laid onto the person
    `name`, `cloth_name`  file names, `00001_00.jpg`
    """

    name: str
    cloth_name: str
    category: Category
    inputs: TryOnInputs
    target: FloatArray
    garment: NDArray[np.uint8]
    warped: NDArray[np.uint8]
    warped_mask: FloatArray


class VitonHD(Sequence[TryOnSample]):
    """The pairs of one split; nothing is read before it is asked for, so it is cheap to hand to other processes."""

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "test"] = "train",
        paired: bool = True,
        height: int = 256,
        width: int = 192,
    ) -> None:
        """Pictures of any size are resized to (height, width); VITON-HD's are 1024x768, so 4:3 keeps their shape.

        `paired` gives everyone their own garment, else the one `<split>_pairs.txt` names.
        `UserError` for a folder, list or kind of file that is missing, and for a list line that names no pair.
        """
        self.root, self.split, self.height, self.width = Path(root), split, height, width
        if split not in SPLITS:
            raise UserError(f"no split {split!r}: choose one of {', '.join(SPLITS)}")
        if not self.root.is_dir():
            raise UserError(f"no dataset at {self.root}: name the folder that holds {split}/ and {split}_pairs.txt")
        self._folder = self.root / split
        missing = [FOLDERS[kind][0] for kind in _NEEDED if not (self._folder / FOLDERS[kind][0]).is_dir()]
        if missing:
            raise UserError(f"{self._folder} lacks {', '.join(missing)}: unpack VITON-HD as published")
        self.pairs = _read_pairs(self.root / f"{split}_pairs.txt")
        if paired:
            self.pairs = [(person, person) for person, _ in self.pairs]

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, index: int) -> TryOnSample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TryOnSample]: ...
    def __getitem__(self, index: int | slice) -> TryOnSample | Sequence[TryOnSample]:
        """Sample `index`; a slice reads all it covers. `UserError` for a file that is missing or broken."""
        if isinstance(index, slice):
            return [self._read(*pair) for pair in self.pairs[index]]
        return self._read(*self.pairs[index])

    def __iter__(self) -> Iterator[TryOnSample]:
        return (self._read(*pair) for pair in self.pairs)

    def _read(self, person_name: str, cloth_name: str) -> TryOnSample:
        size = (self.height, self.width)
        person = load_photo(self._file("person", person_name))
        keypoints = read_keypoints(self._file("keypoints", person_name))
        keypoints = keypoints.moved(Crop(0, 0, person.width, person.height), *size)
        mask = _resized(load_photo(self._file("mask", person_name)).pixels[..., 0], *size)
        cloth = load_photo(self._file("cloth", cloth_name))
        cloth_mask = load_photo(self._file("cloth_mask", cloth_name)).pixels
        # In the published set some masks differ from their picture by a rounding.
        cutout = cut_out(Photo(cloth.pixels), _resized(cloth_mask, cloth.height, cloth.width))
        category = self._category(cloth_name)
        warped, warped_mask = warp_garment(cutout.pixels, cutout.mask, keypoints, *size, category)
        picture = _resized(person.pixels, *size)
        repaint = (mask > 127).astype(np.float32)
        inputs = TryOnInputs.compose(picture, repaint, warped, warped_mask, skeleton_picture(keypoints, *size))
        return TryOnSample(
            name=person_name,
            cloth_name=cloth_name,
            category=category,
            inputs=inputs,
            target=to_network(picture),
            garment=cloth.pixels,
            warped=warped,
            warped_mask=warped_mask,
        )

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


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: it should list pairs as 'person.jpg cloth.jpg'") from error
    pairs = []
    for number, line in enumerate(lines, start=1):
        names = line.split()
        if not names:
            continue
        # A name is no path: a list from elsewhere must not reach outside the dataset.
        if len(names) != 2 or any(Path(name).name != name or "\\" in name for name in names):
            raise UserError(f"{path}, line {number}: {line.strip()!r} is no pair, write 'person.jpg cloth.jpg'")
        pairs.append((names[0], names[1]))
    return pairs


def _resized(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    import cv2

    if picture.shape[:2] == (height, width):
        return picture
    shrinks = picture.shape[0] > height or picture.shape[1] > width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
