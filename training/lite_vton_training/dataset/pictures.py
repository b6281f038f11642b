"""A dataset's pairs as pictures in memory: read, warped and composed in parallel, at once or piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.processes import worker_pool
from lite_vton.data.sample import PairFolder, TryOnSample
from lite_vton.garment.cutout import CLIP_SIDE
from lite_vton.tryon.inputs import to_picture

__all__ = ["PicturePairs", "read_pictures", "read_pieces"]

Picture = NDArray[np.uint8]


def _nothing() -> Picture:
    return np.zeros((0, CLIP_SIDE, CLIP_SIDE, 3), np.uint8)


@dataclass(frozen=True)
class PicturePairs:
    """N pairs as uint8: `person`, `masked_person` and `pose` (N, H, W, 3), `mask` (N, H, W) in {0, 1}.

    `garment` (N, 224, 224, 3) is what CLIP is shown of each; it has no rows where no network looks at it.
    """

    person: Picture
    masked_person: Picture
    pose: Picture
    mask: Picture
    garment: Picture = field(default_factory=_nothing)

    def __len__(self) -> int:
        return len(self.person)

    def first(self, count: int) -> PicturePairs:
        """The first `count` pairs, without copying."""
        return PicturePairs(*(column[:count] for column in vars(self).values()))


def read_pictures(
    samples: Sequence[TryOnSample],
    *,
    garments: bool = False,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> PicturePairs:
    """Every pair of `samples`, with the garments for CLIP if asked for; `progress` is told how many are done.

    One worker reads in this process; more are spawned, and `samples` goes to them.
    """
    rows: list[tuple[Picture, ...]] = []
    for row in _rows(samples, garments, workers):
        rows.append(row)
        if progress is not None:
            progress(len(rows))
    return _stacked(rows)


def read_pieces(
    samples: PairFolder, pieces: Iterable[slice], *, garments: bool = False, workers: int = 1
) -> Iterator[PicturePairs]:
    """The pairs of each slice of `samples`, one after the other.

    The next piece is read while one is worked on, so two of them are in memory.
    """
    with worker_pool(workers) as pool:

        def begin(piece: slice) -> Iterator[tuple[Picture, ...]]:
            some = samples.part(piece)  # what goes to the other processes with every task
            return pool.map(partial(_read, some, garments), range(len(some)), chunksize=8)

        rows: Iterator[tuple[Picture, ...]] | None = None
        for piece in chain(pieces, [None]):
            ready, rows = rows, None if piece is None else begin(piece)
            if ready is not None:
                yield _stacked(ready)


def _rows(samples: Sequence[TryOnSample], garments: bool, workers: int) -> Iterator[tuple[Picture, ...]]:
    read = partial(_read, samples, garments)
    if workers == 1:
        yield from map(read, range(len(samples)))
        return
    with worker_pool(workers) as pool:
        yield from pool.map(read, range(len(samples)), chunksize=8)


def _stacked(rows: Iterable[tuple[Picture, ...]]) -> PicturePairs:
    return PicturePairs(*(np.stack(column) for column in zip(*rows, strict=True)))


def _read(samples: Sequence[TryOnSample], garments: bool, index: int) -> tuple[Picture, ...]:
    inputs = samples[index].inputs
    pictures = (to_picture(tensor) for tensor in (inputs.person, inputs.masked_person, inputs.pose))
    row = (*pictures, inputs.mask[0, 0].astype(np.uint8))
    if not garments:
        return row
    assert inputs.garment is not None  # every reader of a dataset gives it
    return (*row, to_picture(inputs.garment))
