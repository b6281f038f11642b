"""Whether keypoints, a mask and a parse can be those of a person's photo, and of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category
from lite_vton.errors import UserError
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.parse_labels import GARMENT, Part
from lite_vton.photo.mask_look import TURNS, check_black_and_white, check_size, is_around
from lite_vton.tryon.given.body import agreement, core, shrunk
from lite_vton.tryon.given.keypoints import best_misreading, check_in_picture, check_seen
from lite_vton.tryon.given.witnesses import Witnesses

__all__ = ["Names", "check_person"]

_Picture = TypeVar("_Picture", NDArray[np.bool_], NDArray[np.uint8])


@dataclass(frozen=True)
class Names:
    """What errors call that which is given."""

    keypoints: str = "the keypoints"
    parse: str = "the parse"
    mask: str = "the mask"


_NAMES = Names()

_COVERED = 0.5  # of what every garment covers, by a mask that is right
_LABELLED = 0.3  # of it, by a parse that is right: a bag before the body has no label of its own
_WELL = 0.6  # agreement of a mask or parse with keypoints; below it they are looked at more closely
_UNDONE, _BETTER = 0.55, 0.2  # agreement once a mistake is undone, and by how much that must be better than before
_TORSO = (*GARMENT, Part.TORSO_SKIN, Part.LEFT_ARM, Part.RIGHT_ARM, Part.HAIR, 11)
"""Labels a torso can show; 11 is LIP's scarf."""
_HEAD = (1, Part.HAIR, 4, Part.FACE)
"""Labels a nose can show; 1 and 4 are LIP's hat and sunglasses."""
_LABELS = 20
"""As many as LIP has."""
_ODD_LABELS = 0.02  # of a parse: the rim that some tools draw as 255


def check_person(
    keypoints: Keypoints,
    height: int,
    width: int,
    category: Category = "upper",
    *,
    parse: NDArray[np.uint8] | None = None,
    mask: NDArray[np.uint8] | None = None,
    witnesses: Witnesses | None = None,
    names: Names = _NAMES,
) -> None:
    """`UserError`, with what it looks like, for what cannot be of a person in a photo of (`height`, `width`).

    `keypoints` in its pixels; `parse` (H, W), LIP labels; `mask` (H, W) uint8, > 127 = repaint, for a garment of
    `category`. Each is compared with the others and with whom `witnesses` see; keypoints that are one of those are
    not doubted.
    """
    found = witnesses is not None and any(keypoints is person for person in witnesses.people)
    for picture, name in ((parse, names.parse), (mask, names.mask)):
        if picture is not None:
            check_size(picture.shape, height, width, name, "the photo")
    if not found:
        check_in_picture(keypoints, height, width, names.keypoints)
        if witnesses is not None:
            check_seen(keypoints, height, width, witnesses, names.keypoints)
    if parse is not None:
        _check_parse(parse, keypoints, found, names)
    if mask is not None:
        _check_mask(mask, keypoints, category, found, names)


def _check_parse(parse: NDArray[np.uint8], keypoints: Keypoints, found: bool, names: Names) -> None:
    if not parse.any():
        raise UserError(f"{names.parse} shows nobody, all of it is background: parse this very photo")
    if float((parse >= _LABELS).mean()) > _ODD_LABELS:
        raise UserError(f"{names.parse} holds labels up to {parse.max()}: give LIP's labels, 0 to {_LABELS - 1}")
    _blame(parse, keypoints, _parse_fit, found, names.parse, names.keypoints)
    inner = parse[core(keypoints, parse.shape[0], parse.shape[1])]
    if not inner.size or float(np.isin(inner, _TORSO).mean()) >= _LABELLED:
        return
    label = int(np.bincount(inner).argmax())
    if label:
        raise UserError(
            f"{names.parse} labels the torso {label}, which is no upper body's label of LIP: "
            "give LIP's labels (5 upper clothes, 6 dress, 7 coat), not those of another parser"
        )
    raise UserError(f"{names.parse} shows background where {names.keypoints} have the torso: parse this very photo")


def _check_mask(mask: NDArray[np.uint8], keypoints: Keypoints, category: Category, found: bool, names: Names) -> None:
    garment = "the lower body" if category == "lower" else "the torso"
    check_black_and_white(mask, names.mask, "repaints", f"{garment} and what else is to be repainted")
    region, moved = shrunk(mask > 127, keypoints)
    inner = region[core(moved, region.shape[0], region.shape[1], category)]
    is_covered = not inner.size or float(inner.mean()) >= _COVERED
    if is_around(region):
        raise UserError(
            f"{names.mask} repaints nearly all around the person: paint only what is to be repainted white"
            if is_covered
            else f"{names.mask} does not repaint {garment} but what is around it: it looks inverted, invert it"
        )
    other: Category = "upper" if category == "lower" else "lower"
    if not is_covered and _fit(moved, region, other) >= _UNDONE:
        raise UserError(f"{names.mask} is that of a garment of category {other!r}: give one for {category!r}")
    _blame(region, moved, lambda part, body: _fit(body, part, category), found, names.mask, names.keypoints)
    if not is_covered:
        raise UserError(
            f"{names.mask} does not repaint {garment}, where {names.keypoints} have it: invert it, or make it again"
        )


def _blame(
    picture: _Picture,
    keypoints: Keypoints,
    fit: Callable[[_Picture, Keypoints], float],
    found: bool,
    picture_name: str,
    points_name: str,
) -> None:
    """`UserError` where a picture and keypoints do not `fit`, in [0, 1], and one known mistake, undone, makes them.

    Keypoints that were `found` in the photo are not to blame.
    """
    own = fit(picture, keypoints)
    if own >= _WELL:
        return
    believed = max(_UNDONE, own + _BETTER)
    for turn, undo in TURNS.items():
        turned = undo(picture)
        if turned.shape == picture.shape and fit(turned, keypoints) >= believed:
            raise UserError(f"{picture_name} does not lie on the person: it looks {turn}, undo that")
    if found:
        return
    height, width = picture.shape
    best = best_misreading(keypoints, height, width, lambda tried: fit(picture, tried))
    if best is not None and best[1] >= believed:
        raise UserError(f"{points_name} {best[0].looks}, not of the photo {picture_name} is of: {best[0].advice}")


def _fit(keypoints: Keypoints, region: NDArray[np.bool_], category: Category) -> float:
    """Agreement; datasets do not always say which of their upper garments are dresses."""
    kinds: tuple[Category, ...] = ("upper", "dress") if category == "upper" else (category,)
    return max(agreement(keypoints, region, kind) for kind in kinds)


def _parse_fit(parse: NDArray[np.uint8], keypoints: Keypoints) -> float:
    """How well a parse fits: torso and face are where keypoints have them, and the upper body is about there."""
    upper, moved = shrunk(np.isin(parse, _TORSO), keypoints)
    inner = upper[core(moved, upper.shape[0], upper.shape[1])]
    shares = [float(inner.mean()) if inner.size else 0.0]
    if keypoints.sees(Joint.NOSE):
        x, y = keypoints.points[Joint.NOSE].astype(int)
        inside = 0 <= y < parse.shape[0] and 0 <= x < parse.shape[1]
        shares.append(float(inside and parse[y, x] in _HEAD))
    return (float(np.mean(shares)) + _fit(moved, upper, "upper")) / 2
