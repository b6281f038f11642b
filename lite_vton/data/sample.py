"""What every dataset of try-on pairs gives, and how a reader composes it from a person and a garment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category
from lite_vton.data.pair_list import Pair
from lite_vton.errors import UserError
from lite_vton.garment.cutout import Cutout, on_white
from lite_vton.person.keypoints import Keypoints, skeleton_picture
from lite_vton.presets.config import MaskKind
from lite_vton.tryon.inputs import FloatArray, TryOnInputs, to_network
from lite_vton.warp.garment import warp_garment

__all__ = [
    "Garment",
    "PairFolder",
    "Split",
    "Truth",
    "TryOnSample",
    "check_same_size",
    "check_shape",
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
        with _named(self.pairs[index]):
            return self._truth(self.pairs[index])

    def garment(self, index: int) -> Garment:
        """The garment of pair `index` alone. `UserError` as for the sample."""
        with _named(self.pairs[index]):
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
                with _named(pair):
                    self._truth(pair)
                    self._garment(pair)
                sound.append(pair)
            except UserError as error:
                faults.append(str(error))
            if progress is not None:
                progress(done)
        kept = copy(self)
        kept.pairs = sound
        return kept, tuple(faults)

    def _read(self, pair: Pair) -> TryOnSample:
        size = (self.height, self.width)
        with _named(pair):
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


@contextmanager
def _named(pair: Pair) -> Iterator[None]:
    """A `UserError` from inside says which pair it is about."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{pair.person} with {pair.cloth}: {error}") from error


_SAME_SHAPE = 0.02  # relative difference of two aspect ratios that nobody sees


def check_shape(path: Path, picture: NDArray[np.uint8], height: int, width: int, what: str) -> None:
    """`UserError` where resizing `picture` (h, w[, C]) to the shape of (height, width), `what`'s, would stretch it."""
    found_height, found_width = picture.shape[:2]
    if abs(found_width * height / (found_height * width) - 1) > _SAME_SHAPE:
        raise UserError(
            f"{path} is {found_width}x{found_height}, which does not have the shape of {what}, {width}x{height}: "
            "crop it so that resizing stretches nothing"
        )


_ROUNDING = 2  # pixels: in the published sets some masks differ so from their pictures


def check_same_size(path: Path, picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """`picture` (h, w[, C]), a mask or parse of a photo of (height, width), without a rounding's difference.

    `UserError` where it has another size.
    """
    found_height, found_width = picture.shape[:2]
    if max(abs(found_height - height), abs(found_width - width)) > _ROUNDING:
        turned = (found_height, found_width) == (width, height)
        raise UserError(
            f"{path} is {found_width}x{found_height}, and its photo, {width}x{height}, is not: "
            + ("it looks turned by 90 degrees, turn it back" if turned else "copy the dataset again, all in one size")
        )
    rows, columns = (
        np.minimum(np.arange(side), found - 1) for side, found in ((height, found_height), (width, found_width))
    )
    return picture if picture.shape[:2] == (height, width) else picture[rows[:, None], columns]


def resized(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(h, w) or (h, w, C) uint8 at (height, width): by area where it shrinks, else bicubic."""
    import cv2

    if picture.shape[:2] == (height, width):
        return picture
    shrinks = picture.shape[0] > height or picture.shape[1] > width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
