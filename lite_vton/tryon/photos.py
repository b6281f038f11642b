"""From two photos alone to everything the network is told; what is known better than can be seen is taken as given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.garment.cutout import Cutout, cut_out
from lite_vton.mask.seen import Sight
from lite_vton.person.keypoints import Keypoints
from lite_vton.person.mediapipe import check_usable, choose_person, find_people, installed
from lite_vton.photo.crop import Crop, take_crop
from lite_vton.photo.files import Photo
from lite_vton.presets.config import MaskKind
from lite_vton.tryon.given import Witnesses, look
from lite_vton.tryon.known import Known
from lite_vton.tryon.prepare import FoundPerson, Prepared, prepare
from lite_vton.worn.detect import find_wearer
from lite_vton.worn.flat_lay import lay_flat

__all__ = ["prepare_photos"]


def prepare_photos(
    person: Photo,
    garment: Photo,
    height: int,
    width: int,
    *,
    category: str = "upper",
    mask: MaskKind = "improved",
    known: Known = Known(),  # frozen
) -> Prepared:
    """One try-on at (height, width), the model's size.

    >>> prepared = prepare_photos(load_photo("person.jpg"), load_photo("garment.jpg"), 64, 48)
    >>> prepared.inputs.person.shape, prepared.inputs.mask.shape
    ((1, 3, 64, 48), (1, 1, 64, 48))

    Where `known` has no keypoints, its `pose_model` finds them, else MediaPipe, which sees the silhouette too.
    A garment that somebody wears in its photo is laid flat first, where MediaPipe is installed.
    `UserError`, with what is wrong with which photo, where no try-on can be made of them.
    """
    cutout = _garment(garment, known.garment_mask, category)
    if known.keypoints is None:
        found = _found(person, known.person_index, known.pose_model)
    elif installed():
        found = FoundPerson(known.keypoints, witnesses=_witnesses(person, known.keypoints))
    else:
        found = FoundPerson(known.keypoints)
    return prepare(person, found, cutout, height, width, category, mask=mask, known=known)


_LARGEST = 2048  # pixels along the longer side: more of a photo shows the networks nothing


def _garment(photo: Photo, mask: NDArray[np.uint8] | None, category: str) -> Cutout:
    """Cut out; where somebody wears it, and MediaPipe is there to see it, laid flat first."""
    if mask is None or mask.shape[:2] == (photo.height, photo.width):
        whole, photo = Crop(0, 0, photo.width, photo.height), photo.smaller(_LARGEST)
        mask = None if mask is None else take_crop(mask, whole, photo.height, photo.width)
    wearer = None if mask is not None else find_wearer(photo)
    if wearer is not None:
        return lay_flat(photo.pixels, wearer.keypoints, wearer.silhouette, category)
    return cut_out(photo, mask)


def _witnesses(photo: Photo, keypoints: Keypoints) -> Witnesses:
    view = photo.smaller(_LARGEST)
    seen = look(view.pixels, keypoints.moved(Crop(0, 0, photo.width, photo.height), view.height, view.width))
    back = Crop(0, 0, view.width, view.height)
    return replace(seen, people=[person.moved(back, photo.height, photo.width) for person in seen.people])


def _found(photo: Photo, index: int | None, pose_model: Path | None) -> FoundPerson:
    view = photo.smaller(_LARGEST)
    whole, scale = Crop(0, 0, view.width, view.height), photo.width / view.width
    if pose_model is None:
        chosen = choose_person(find_people(view.pixels), index, photo.name)
        keypoints = chosen.keypoints.moved(whole, photo.height, photo.width)
        check_usable(keypoints, photo.height, photo.width, photo.name)
        return FoundPerson(
            keypoints, Sight(chosen.silhouette, scale * chosen.hands, scale), witnesses=Witnesses((keypoints,))
        )
    from lite_vton.person.dwpose import dwpose_people

    found = choose_person(dwpose_people(view.pixels, pose_model), index, photo.name)
    keypoints = found.moved(whole, photo.height, photo.width)
    check_usable(keypoints, photo.height, photo.width, photo.name)
    return FoundPerson(keypoints, witnesses=Witnesses((keypoints,)))
