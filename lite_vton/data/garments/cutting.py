"""From a garment's photo to its cut-out, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lite_vton.data.conversion.outcome import DroppedError
from lite_vton.data.garments.classes import GarmentClass
from lite_vton.data.garments.quality import Measures, find_fault, measure
from lite_vton.errors import UserError
from lite_vton.garment.cutout import Cutout, cut_out
from lite_vton.photo.files import Photo, load_photo
from lite_vton.photo.reading import is_animated
from lite_vton.worn.detect import find_wearer
from lite_vton.worn.flat_lay import lay_flat

__all__ = ["CutGarment", "cut_garment"]

_LARGEST = 1024  # pixels along the longer side: more would only cost time


@dataclass(frozen=True)
class CutGarment:
    """A garment that passed, and by what measures."""

    cutout: Cutout
    measures: Measures


def cut_garment(path: Path, kind: GarmentClass, worn: bool = False) -> CutGarment:
    """The garment in the photo at `path`; `worn` accepts one that somebody wears, and lays it flat.

    `DroppedError` where the file is no photo, shows somebody (unless `worn`), or no garment that can be cut out and
    passes `find_fault`.
    """
    photo = _read(path)
    cutout = _cut(photo, kind, worn)
    measures = measure(cutout, (photo.height, photo.width))
    fault = find_fault(measures, kind)
    if fault is not None:
        raise DroppedError(fault.reason, fault.detail)
    return CutGarment(cutout, measures)


def _read(path: Path) -> Photo:
    try:
        photo, animated = load_photo(path), is_animated(path)
    except UserError as error:
        # Where it lies says nothing about what is wrong, and differs from one machine to the next.
        raise DroppedError("not a usable picture", str(error).replace(str(path), path.name)) from error
    if animated:
        raise DroppedError("not a usable picture", f"{path.name} is animated: save the picture that shows the garment")
    return replace(photo, name="the photo").smaller(_LARGEST)


def _cut(photo: Photo, kind: GarmentClass, worn: bool) -> Cutout:
    try:
        wearer = find_wearer(photo)
        if wearer is None:
            return cut_out(photo)
        if not worn:
            raise DroppedError("somebody seems to wear it", "give --worn to lay such garments flat")
        return lay_flat(photo.pixels, wearer.keypoints, wearer.silhouette, kind.category)
    except DroppedError:
        raise
    except UserError as error:
        raise DroppedError("no garment that can be cut out", str(error)) from error
