"""Scores of a folder of try-ons that anybody made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError
from lite_vton.workflows.evaluate.model import TestPairs, open_test_pairs
from lite_vton.workflows.evaluate.report import Judged, Judgement
from lite_vton.workflows.progress import progress_bar

if TYPE_CHECKING:
    from lite_vton.data.pair_list import Pair
    from lite_vton.photo.files import Photo
    from lite_vton_training.metrics import Backbones, Picture

__all__ = ["find_result", "judge_results"]

_SUFFIXES = (".png", ".jpg", ".jpeg")


def judge_results(
    results: Path, pairs: TestPairs, backbones: Backbones, size: tuple[int, int] | None = None
) -> Judgement:
    """Every wanted pair's picture in `results`, next to the photograph of the person.

    All are judged at `size` (height, width), or at their own size, which then has to be the same for all.
    `UserError` where pictures are missing (they are counted, the first ones named), differ in size or cannot be read.
    """
    from lite_vton.data.sample import resized
    from lite_vton_training.metrics import Tally

    if not results.is_dir():
        raise UserError(f"no folder {results}: name the one that holds the pictures to judge")
    # Any size will do to learn which pairs there are.
    listed, _ = open_test_pairs(TestPairs(pairs.data, None, pairs.paired, pairs.category, mask=pairs.mask), 4, 3)
    wanted = listed.pairs if pairs.count is None else listed.pairs[: pairs.count]
    some = next((path for pair in wanted if (path := find_result(results, pair)) is not None), None)
    own = _decoded(some or _all_found(results, wanted)[0])
    height, width = size or (own.height, own.width)
    people, skipped = open_test_pairs(pairs, height, width)
    people = people if pairs.count is None else people.first(pairs.count)
    files = _all_found(results, people.pairs)

    tally, photographs = Tally(backbones, pairs.paired), []
    with progress_bar("judging", len(files)) as update:
        for number, file in enumerate(files):
            truth = people.truth(number)
            picture = _picture(file, (height, width), exact=size is None)
            if backbones.inception is not None:
                photographs.append(backbones.inception.features([truth.picture]))
            tally.add(resized(picture, height, width), truth.picture, truth.mask > 0.5)
            update(number + 1, truth.name)
    return Judgement(
        rows=(Judged("results", str(results), tally.scores(photographs), None),),
        data=str(pairs.data),
        paired=pairs.paired,
        height=height,
        width=width,
        sampler=None,
        steps=None,
        seed=None,
        detail=None,
        mask=people.mask,
        sources=backbones.sources,
        left_out=backbones.left_out,
        skipped=skipped,
    )


def find_result(results: Path, pair: Pair) -> Path | None:
    """The picture of `pair`: named after the person, or after person and garment, as PNG or JPEG.

    `00001_00.png`, `00001_00_00002_00.png`; in `results` itself or in the pair's category folder inside it.
    """
    person, cloth = Path(pair.person).stem, Path(pair.cloth).stem
    folders = (results / pair.part, results) if pair.part else (results,)
    names = (f"{stem}{suffix}" for stem in (f"{person}_{cloth}", person) for suffix in _SUFFIXES)
    return next((path for name in names for folder in folders if (path := folder / name).is_file()), None)


def _all_found(results: Path, pairs: Sequence[Pair]) -> list[Path]:
    found = {pair: find_result(results, pair) for pair in pairs}
    missing = [f"{pair.person} with {pair.cloth}" for pair, path in found.items() if path is None]
    if missing:
        named = "; ".join(missing[:5]) + ("; ..." if len(missing) > 5 else "")
        raise UserError(
            f"{results} lacks {len(missing)} of {len(pairs)} pictures ({named}): add them as PERSON.png or "
            "PERSON_GARMENT.png, or judge the first few with --pairs"
        )
    return [path for path in found.values() if path is not None]


def _picture(file: Path, size: tuple[int, int], exact: bool) -> Picture:
    from lite_vton.data.sample import check_shape

    photo = _decoded(file)
    if exact and (photo.height, photo.width) != size:
        raise UserError(
            f"{file} is {photo.width}x{photo.height}, the first picture {size[1]}x{size[0]}: "
            "make all the same size, or say at which to judge with --height and --width"
        )
    check_shape(file, photo.pixels, *size, "what is asked for")
    return photo.pixels


def _decoded(file: Path) -> Photo:
    """A picture of any size: a try-on of a small model is smaller than photographs may be."""
    import numpy as np

    from lite_vton.photo.files import Photo
    from lite_vton.photo.reading import open_picture

    return Photo(np.array(open_picture(file, str(file), min_side=1).convert("RGB")))
