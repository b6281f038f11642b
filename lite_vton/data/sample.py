"""What every dataset of try-on pairs gives, and how a reader composes it from a person and a garment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.garment import Cutout, on_white
from lite_vton.inputs import FloatArray, TryOnInputs, to_network
from lite_vton.mask import Category
from lite_vton.pose import Joint, Keypoints, skeleton_picture
from lite_vton.presets import MaskKind
from lite_vton.warp import warp_garment

__all__ = [
    "Garment",
    "Pair",
    "PairFolder",
    "Split",
    "Truth",
    "TryOnSample",
    "check_shape",
    "check_torso",
    "read_pairs",
    "resized",
]

Split = Literal["train", "test"]


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


@dataclass(frozen=True)
class Truth:
    """The person of a pair without anything made from the garment, at the reader's size.

    `picture` (H, W, 3) uint8 RGB as photographed; `mask` (H, W) float32 in {0, 1}, 1 = repaint; `keypoints` in pixels
    of `picture`.
    """

    name: str
    picture: NDArray[np.uint8]
    mask: FloatArray
    keypoints: Keypoints


@dataclass(frozen=True)
class Garment:
    """`pixels` (h, w, 3) uint8 RGB as it lies on disk, `cutout` the same without its background."""

    pixels: NDArray[np.uint8]
    cutout: Cutout
    category: Category


@dataclass(frozen=True)
class Pair:
    """File names of a person and a garment; `part` the dataset's folder they are in, empty where it has but one."""

    person: str
    cloth: str
    part: str = ""


class PairFolder(Sequence[TryOnSample], ABC):
    """The pairs of one split; nothing is read before it is asked for, so it is cheap to hand to other processes."""

    def __init__(self, pairs: Sequence[Pair], height: int, width: int, mask: MaskKind = "improved") -> None:
        """Every picture is resized to (height, width); `mask` is what of each person is to be repainted."""
        self.pairs, self.height, self.width, self.mask = list(pairs), height, width, mask

    @abstractmethod
    def _truth(self, pair: Pair) -> Truth: ...

    @abstractmethod
    def _garment(self, pair: Pair) -> Garment: ...

    def __len__(self) -> int:
        return len(self.pairs)

    @overload
    def __getitem__(self, index: int) -> TryOnSample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TryOnSample]: ...
    def __getitem__(self, index: int | slice) -> TryOnSample | Sequence[TryOnSample]:
        """Sample `index`; a slice reads all it covers. `UserError` for a file that is missing or broken."""
        if isinstance(index, slice):
            return [self._read(pair) for pair in self.pairs[index]]
        return self._read(self.pairs[index])

    def __iter__(self) -> Iterator[TryOnSample]:
        return (self._read(pair) for pair in self.pairs)

    def truth(self, index: int) -> Truth:
        """The person of pair `index` alone, which is much cheaper than the sample. `UserError` as for that."""
        return self._truth(self.pairs[index])

    def garment(self, index: int) -> Garment:
        """The garment of pair `index` alone. `UserError` as for the sample."""
        return self._garment(self.pairs[index])

    def first(self, count: int) -> Self:
        """The first `count` pairs, still unread."""
        return self.part(slice(0, count))

    def part(self, rows: slice) -> Self:
        """The pairs of a slice, still unread."""
        shorter = copy(self)
        shorter.pairs = self.pairs[rows]
        return shorter

    def without_broken(self, progress: Callable[[int], None] | None = None) -> tuple[Self, tuple[str, ...]]:
        """The pairs whose files can be read and fit each other, and a line for each of the others.

        Opens every file once; `progress` is told how many pairs are done.
        """
        sound: list[Pair] = []
        faults: list[str] = []
        for done, pair in enumerate(self.pairs, start=1):
            try:
                self._truth(pair)
                self._garment(pair)
                sound.append(pair)
            except UserError as error:
                faults.append(f"{pair.person} with {pair.cloth}: {error}")
            if progress is not None:
                progress(done)
        kept = copy(self)
        kept.pairs = sound
        return kept, tuple(faults)

    def _read(self, pair: Pair) -> TryOnSample:
        size = (self.height, self.width)
        truth, garment = self._truth(pair), self._garment(pair)
        cutout = garment.cutout
        warped, warped_mask = warp_garment(
            cutout.pixels, cutout.mask, truth.keypoints, *size, garment.category, cutout.cut
        )
        skeleton = skeleton_picture(truth.keypoints, *size)
        return TryOnSample(
            name=pair.person,
            cloth_name=pair.cloth,
            category=garment.category,
            inputs=TryOnInputs.compose(truth.picture, truth.mask, warped, warped_mask, skeleton, on_white(cutout)),
            target=to_network(truth.picture),
            garment=garment.pixels,
            warped=warped,
            warped_mask=warped_mask,
        )


def read_pairs(path: Path, part: str = "") -> list[Pair]:
    """The pairs a list names, one 'person.jpg cloth.jpg' a line; what follows on a line is not looked at.

    `UserError` for a list that is missing, names no pair, or leads out of the dataset.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: it should list pairs as 'person.jpg cloth.jpg'") from error
    pairs = []
    for number, line in enumerate(lines, start=1):
        names = line.split()[:2]
        if not names:
            continue
        # A name is no path: a list from elsewhere must not reach outside the dataset.
        if len(names) != 2 or any(Path(name).name != name or "\\" in name for name in names):
            raise UserError(f"{path}, line {number}: {line.strip()!r} is no pair, write 'person.jpg cloth.jpg'")
        pairs.append(Pair(names[0], names[1], part))
    if not pairs:
        raise UserError(f"{path} lists no pairs: copy it again, or draw some (`lite-vton data synthesize -o drawn`)")
    return pairs


_SAME_SHAPE = 0.02  # relative difference of two aspect ratios that nobody sees


def check_shape(path: Path, picture: NDArray[np.uint8], height: int, width: int, what: str) -> None:
    """`UserError` where resizing `picture` (h, w[, C]) to the shape of (height, width), `what`'s, would stretch it."""
    found_height, found_width = picture.shape[:2]
    if abs(found_width * height / (found_height * width) - 1) > _SAME_SHAPE:
        raise UserError(
            f"{path} is {found_width}x{found_height}, which does not have the shape of {what}, {width}x{height}: "
            "crop it so that resizing stretches nothing"
        )


def check_torso(path: Path, mask: FloatArray, keypoints: Keypoints) -> None:
    """`UserError` unless `mask` (H, W), 1 = repaint, covers most of the torso that `keypoints` show.

    This is how an inverted mask shows: the torso is what every try-on of an upper garment or a dress repaints.
    """
    import cv2

    corners = keypoints.completed().points[[Joint.R_SHOULDER, Joint.L_SHOULDER, Joint.L_HIP, Joint.R_HIP]]
    centre = corners.mean(axis=0)
    # The inner half: hands and hair may lie over the rim, and those are kept.
    inner = np.rint(np.clip(centre + 0.5 * (corners - centre), -1e4, 1e4)).astype(np.int32)
    torso = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(torso, cv2.convexHull(inner), (1,))
    if torso.any() and float(mask[torso > 0].mean()) < 0.5:
        raise UserError(f"{path} does not repaint the torso, where it should be white: invert it, or make it again")


def resized(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(h, w) or (h, w, C) uint8 at (height, width): by area where it shrinks, else bicubic."""
    import cv2

    if picture.shape[:2] == (height, width):
        return picture
    shrinks = picture.shape[0] > height or picture.shape[1] > width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
