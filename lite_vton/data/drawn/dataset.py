"""A dataset of drawn people in VITON-HD's layout: no licence to ask for, no person shown, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from lite_vton.data.dataset_folder import drawn_folder
from lite_vton.data.layout import SPLITS
from lite_vton.data.processes import spawned
from lite_vton.data.writer import make_folders, write_pair
from lite_vton.errors import UserError
from lite_vton.libraries.installed import is_installed

__all__ = ["Progress", "synthesize"]

Progress = Callable[[int], None]
"""Called with the number of pairs done."""

_CHUNK = 8  # pairs a worker draws between two reports


def synthesize(
    folder: str | Path,
    pairs: int,
    seed: int = 0,
    *,
    height: int = 256,
    width: int = 192,
    test_share: float = 0.1,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Draw `pairs` people with their garments into `folder`, which a reader cannot tell from VITON-HD.

    Pair i depends on (`seed`, i, `height`, `width`) alone: neither their number nor `workers` changes a byte of it.
    The last `test_share` of them is the test split. `height` and `width` in pixels, multiples of 8.
    The folder appears whole or not at all. Returns it.
    `UserError` for a folder that is not empty (unless `overwrite` and it holds a dataset made here), for sizes that
    make no sense, without skia-python.
    """
    folder = Path(folder)
    _check(pairs, seed, height, width, test_share, workers)
    test = round(pairs * test_share)
    jobs = [("train" if index < pairs - test else "test", index) for index in range(pairs)]
    with drawn_folder(folder, overwrite) as draft:
        for split in SPLITS:
            make_folders(draft / split)
        categories: dict[int, str] = {}
        chunks = [jobs[start : start + _CHUNK] for start in range(0, pairs, _CHUNK)]
        draw = partial(_draw, draft=draft, seed=seed, height=height, width=width)
        for drawn in spawned(draw, chunks, workers):
            categories.update(drawn)
            if progress is not None:
                progress(len(categories))
        _write_pairs(draft, jobs, categories)
    return folder


def _check(pairs: int, seed: int, height: int, width: int, test_share: float, workers: int) -> None:
    if pairs < 1:
        raise UserError(f"cannot draw {pairs} pairs: ask for at least one")
    if seed < 0:
        raise UserError(f"seed {seed} is negative: use 0 or more")
    if height < 32 or width < 24 or height % 8 or width % 8:
        raise UserError(f"cannot draw {height}x{width} pictures: use multiples of 8, at least 32 high and 24 wide")
    if not 0 <= test_share <= 1:
        raise UserError(f"test share {test_share} is no share: use 0 to 1")
    if workers < 1:
        raise UserError(f"{workers} workers draw nothing: use at least one")
    if not is_installed("skia"):
        raise UserError("drawing needs skia-python: pip install 'lite-vton[data]'")


def _draw(chunk: list[tuple[str, int]], draft: Path, seed: int, height: int, width: int) -> dict[int, str]:
    """Draw and write some pairs; returns the category of each."""
    from lite_vton.data.drawn.pair import draw_pair

    categories = {}
    for split, index in chunk:
        pair = draw_pair(seed, index, height, width)
        write_pair(draft / split, _picture(index), pair)
        categories[index] = pair.category
    return categories


def _write_pairs(draft: Path, jobs: list[tuple[str, int]], categories: dict[int, str]) -> None:
    """`train_pairs.txt` pairs each person with the garment worn, `test_pairs.txt` with the next of its category."""
    lines: dict[str, list[str]] = {split: [] for split in SPLITS}
    for split, index in jobs:
        other = index
        if split == "test":
            same = [i for s, i in jobs if s == "test" and categories[i] == categories[index]]
            other = same[(same.index(index) + 1) % len(same)]
        lines[split].append(f"{_picture(index)} {_picture(other)}\n")
    for split in SPLITS:
        (draft / f"{split}_pairs.txt").write_text("".join(lines[split]), encoding="ascii")


def _picture(index: int) -> str:
    return f"{index:05d}_00.jpg"
