"""All of Clothing Co-Parsing in VITON-HD's layout."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lite_vton.data.ccp.labels import meanings_of
from lite_vton.data.ccp.photo import PhotoConversion
from lite_vton.data.ccp.reading import open_source
from lite_vton.data.conversion.outcome import Outcome
from lite_vton.data.conversion.run import Progress, convert_all
from lite_vton.errors import UserError
from lite_vton.person.mediapipe import installed

__all__ = ["convert_ccp", "numbers_left_out"]

_CALLED = re.compile(r"(?:ccp-)?(\d{1,9})\.\w+")


def convert_ccp(
    source: str | Path,
    folder: str | Path,
    *,
    height: int = 512,
    width: int = 384,
    test_every: int = 8,
    test_offset: int = 1,
    left_out: Iterable[int] = (),
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Convert Clothing Co-Parsing's folder `source` into `folder`, and return what became of every photo.

    Beside VITON-HD's folders lies `cloth-holes`: what of a garment its photo hides. Pictures are (`height`, `width`)
    pixels, 4:3 and multiples of 8. Photos whose number leaves `test_offset` when divided by `test_every` are the test
    split; those numbered in `left_out` are in neither. Same photos, same bytes, whatever `workers`. An interrupted
    conversion goes on where it stopped.
    `UserError` for a folder that is no such dataset, options that make no sense, a `folder` that holds something else
    (unless `overwrite`), without MediaPipe, and where no photo can be used.
    """
    if height < 64 or height % 8 or width % 8 or 3 * height != 4 * width:
        raise UserError(f"cannot make {height}x{width} pictures: use 4:3 and multiples of 8, such as 512x384")
    if test_every < 2 or not 0 <= test_offset < test_every:
        raise UserError(f"{test_offset} is never left when dividing by {test_every}: use 0 to one less, and 2 or more")
    if not installed():
        raise UserError("finding people in photos needs MediaPipe: pip install 'lite-vton[photos]'")
    opened, folder = open_source(Path(source)), Path(folder)
    if opened.folder.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{folder} holds the dataset itself: name another folder to write")
    numbers = frozenset(left_out)
    convert = PhotoConversion(
        opened, meanings_of(opened.labels), folder, height, width, test_every, test_offset, numbers
    )
    settings = {
        "dataset": "Clothing Co-Parsing",
        "height": height,
        "width": width,
        "test_every": test_every,
        "test_offset": test_offset,
        "left_out": sorted(numbers),
    }
    return convert_all(folder, opened.names, convert, settings, workers=workers, overwrite=overwrite, progress=progress)


def numbers_left_out(named: Iterable[str]) -> frozenset[int]:
    """Numbers of photos from numbers, files called `ccp-0049.jpg` or `0049.jpg`, and folders of such files.

    `UserError` for what is none of these, and for a folder without such a file.
    """
    numbers: set[int] = set()
    for name in named:
        path = Path(name)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        found = {int(match[1]) for file in files if (match := _CALLED.fullmatch(file.name))}
        if name.isdecimal():
            found.add(int(name))
        if not found:
            raise UserError(f"{name} names no photo to leave out: give numbers, or a folder of files like ccp-0049.jpg")
        numbers |= found
    return frozenset(numbers)
