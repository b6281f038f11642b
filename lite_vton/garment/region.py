"""Where the garment is in its photo, told by colour alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError

__all__ = ["find_region", "likeness", "mistaken_colours"]

_Bools = NDArray[np.bool_]
_Floats = NDArray[np.float32]

_FINE, _COARSE = 400, 224  # pixels along the longer side: GrabCut's time grows with the area
_BORDER = 0.02  # of the shorter side: taken for background
_UNIFORM = 9.0  # spread of the border's CIELAB colours below which the background counts as one colour
_MIN_AREA, _MAX_AREA = 0.02, 0.97  # of the picture
_ROUNDS = 4  # of GrabCut on the small picture
_CENTRES = 14  # main colours of a photo
_GOOD = 0.8  # score of a region told by one colour that needs no second try
_SURE = 0.93  # the same, of one that GrabCut told
_LEFT_OUT, _TAKEN_IN = 0.6, 0.4  # weights of what a region should have, and should not have
_ONE_COLOUR = 0.05  # what speaks for the background's being of one colour
_ALIKE = 0.35  # of a main colour's pixels in the region: so much of it is the garment's
_OWN = 0.6  # of a main colour's pixels in a region: so much of it is nearly the region's alone
_MUCH_MORE = 3.0  # times as frequent outside a region as in it: such a colour is the background's
_SEVERAL = 0.4  # of a piece's area: so large is a second garment
_GARMENT, _APART = 0.03, 0.04  # of the picture, and of its shorter side: the least area of one, and between two
_HULL = 0.55  # of its convex hull's area, that a garment has at least
_EDGE = 22.0  # CIELAB distance across an outline that leaves no doubt
_UNLIKE_CLOTH = 32.0  # CIELAB distance of a hanger from every main colour of the cloth
_HANGER_ABOVE = 0.22  # of the garment's height: lower there is none
_HOOK = 0.045  # of the garment's width: thinner than that, above the shoulders, is no cloth


def find_region(pixels: NDArray[np.uint8], photo: str = "the photo") -> _Floats:
    """(H, W) float32 in [0, 1], 1 = garment, for a photo (H, W, 3) RGB, which `photo` calls in errors.

    A background of one colour is removed by colour, any other by GrabCut from several guesses, of which the
    one that looks most like a garment is kept. Hooks and hangers are left out.
    `UserError` where nothing could be a garment.
    """
    import cv2

    height, width = pixels.shape[:2]
    fine = _fitted(pixels, _FINE)
    strip = max(2, round(_BORDER * min(fine.shape[:2])))
    lab = _lab(fine)
    border = _frame(fine.shape[:2], strip)
    colour = np.median(lab[border], axis=0)
    distance = np.linalg.norm(lab - colour, axis=2).astype(np.float32)
    blank = float((distance > _UNIFORM).mean()) < _MIN_AREA / 2  # GrabCut would find something even in that
    if blank:
        raise UserError(_NOTHING.format(photo=photo))
    # A garment may touch one side of the picture: three quarters of the border speak for the background.
    uniform = float(np.quantile(distance[border], 0.75)) < _UNIFORM
    piece = np.zeros(border.shape, bool)
    unlike = _unlike_background(distance, border) if uniform else piece
    by_colour = largest_piece(unlike)
    if _likely(by_colour) and _is_one_of_several(by_colour, unlike):
        raise UserError(
            f"several garments in {photo}, or something else as large: use a photo of one garment, or give a mask"
        )
    piece = _best(fine, by_colour)
    if not _likely(piece):
        raise UserError(_NOTHING.format(photo=photo))
    piece = _without_hanger(piece, lab)
    soft = cv2.resize(piece.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(soft, 0, 1), np.float32)


def likeness(pixels: NDArray[np.uint8], mask: _Floats) -> float:
    """At most 1, may be negative: how much a region (H, W) in [0, 1] of pixels (H, W, 3) is like a garment.

    Symmetric, its outline where colours change, smooth, within the frame: how `find_region` chooses between guesses.
    """
    small, piece = _coarse(pixels, mask)
    return _looks(piece, _lab(small))


def mistaken_colours(pixels: NDArray[np.uint8], mask: _Floats) -> tuple[float, float]:
    """What a region (H, W) in [0, 1] of pixels (H, W, 3) lacks by its colours, and what it has too much, of its area.

    First what lies outside in colours that the region has nearly to itself; then its largest piece in colours that are
    much more frequent outside.
    """
    import cv2

    small, piece = _coarse(pixels, mask)
    kinds = _kinds(_lab(small))
    count, rim = int(kinds.max()) + 1, np.ones((5, 5), np.uint8)
    # Not the rim, where colours mix.
    outside = cv2.dilate(piece.astype(np.uint8), rim) == 0
    inside = cv2.erode(piece.astype(np.uint8), rim) > 0
    within, beyond = (np.bincount(kinds[part], minlength=count) for part in (inside, outside))
    own = within / np.maximum(within + beyond, 1) > _OWN
    alien = beyond / max(int(beyond.sum()), 1) > _MUCH_MORE * within / max(int(within.sum()), 1)
    area = max(int(piece.sum()), 1)
    return float((own[kinds] & outside).sum()) / area, float(largest_piece(alien[kinds] & piece).sum()) / area


def _coarse(pixels: NDArray[np.uint8], mask: _Floats) -> tuple[NDArray[np.uint8], _Bools]:
    import cv2

    small = _fitted(pixels, _COARSE)
    shape = (small.shape[1], small.shape[0])
    return small, np.asarray(cv2.resize(mask, shape, interpolation=cv2.INTER_AREA) > 0.5)


_NOTHING = "no garment found in {photo}: lay it flat on a plain background of another colour, or give a mask"


def largest_piece(found: _Bools) -> _Bools:
    """The largest connected piece with its holes closed, after removing threads and closing cracks."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, min(found.shape) // 150) + 1,) * 2)
    image = np.asarray(cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, disc), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
    if count < 2:
        return np.zeros(found.shape, bool)
    piece = np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.uint8)
    outlines, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(piece), outlines, -1, (1,), -1) > 0)


def _fitted(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _lab(pixels: NDArray[np.uint8]) -> _Floats:
    import cv2

    return np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _frame(shape: tuple[int, ...], strip: int) -> _Bools:
    frame = np.ones(shape, bool)
    frame[strip:-strip, strip:-strip] = False
    return frame


def _likely(piece: _Bools) -> bool:
    return _MIN_AREA < float(piece.mean()) < _MAX_AREA


def _unlike_background(distance: _Floats, border: _Bools) -> _Bools:
    """Everything not joined to the border through pixels of the background's colour."""
    import cv2

    spread = float(np.quantile(distance[border], 0.75))
    like = (distance < max(6.0, 2.5 * spread)).astype(np.uint8)
    # Joined across thin lines of another colour, such as the joints of tiles.
    width = 2 * max(1, min(like.shape) // 100) + 1
    joined = cv2.morphologyEx(like, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    _, labels = cv2.connectedComponents(joined, connectivity=4)
    outside = np.unique(labels[border & (like > 0)])
    return ~(np.isin(labels, outside) & (like > 0))


def _is_one_of_several(piece: _Bools, found: _Bools) -> bool:
    """Whether there is another piece of about its size, well apart, which the frame does not cut, as it does furniture.

    Stripes and prints of a garment as white as its background are pieces too, but near each other or small.
    """
    import cv2

    reach = 2 * max(1, round(_APART * min(piece.shape))) + 1
    # With a rim of background, so that the frame does not end what is closed.
    around = np.pad(found.astype(np.uint8), reach)
    joined = (
        cv2.morphologyEx(around, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))[reach:-reach, reach:-reach] > 0
    )
    one = largest_piece(joined)
    rest = largest_piece(joined & ~one)
    if float(one.mean()) < _GARMENT or rest.sum() < _SEVERAL * one.sum() or (rest & _frame(rest.shape, 2)).any():
        return False
    return _solid(rest) and _solid(one)


def _solid(piece: _Bools) -> bool:
    """Garments fill a good part of their hulls, shadows and folds of a blanket do not."""
    import cv2

    points = np.argwhere(piece).astype(np.int32)
    return len(points) > 2 and float(piece.sum()) > _HULL * cv2.contourArea(cv2.convexHull(points))


def _best(fine: NDArray[np.uint8], by_colour: _Bools) -> _Bools:
    """The region that looks most like a garment, of those that GrabCut makes of different guesses."""
    import cv2

    small = _fitted(fine, _COARSE)
    shape = (small.shape[1], small.shape[0])
    coarse_lab = _lab(small)
    best, score = np.zeros(small.shape[:2], bool), -1.0
    likely = _lacked_by_the_border(coarse_lab)
    guess = cv2.resize(by_colour.astype(np.uint8), shape, interpolation=cv2.INTER_AREA) > 0
    if _likely(guess):
        best, score = guess, _looks(guess, coarse_lab) - _mistaken(guess, likely) + _ONE_COLOUR
        if score > _GOOD:
            return by_colour
    for labels in _guesses(small, likely, guess):
        piece = largest_piece(_grabbed(small, labels, _ROUNDS))
        looks = _looks(piece, coarse_lab) - _mistaken(piece, likely) if _likely(piece) else -1.0
        if looks > score:
            best, score = piece, looks
        if score > _SURE:
            break
    return _refined(fine, _evened(best, coarse_lab))


def _guesses(small: NDArray[np.uint8], likely: _Bools, by_colour: _Bools) -> Iterator[NDArray[np.uint8]]:
    """GrabCut's labels (h, w): the middle of the picture; the colours that the border lacks; those by colour."""
    import cv2

    height, width = small.shape[:2]
    y, x = np.mgrid[:height, :width]
    off_centre = ((x - width / 2) / (width / 2)) ** 2 + ((y - height / 2) / (height / 2)) ** 2
    frame = _frame((height, width), max(2, round(_BORDER * min(height, width))))

    def labels(likely: _Bools, sure: _Bools) -> NDArray[np.uint8]:
        found = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        found[sure] = cv2.GC_FGD
        found[frame] = cv2.GC_BGD
        return found

    yield labels(off_centre <= 1.0, off_centre < 0.04)
    likely = likely & (off_centre < 1.6)
    if likely.any():
        yield labels(likely, likely & (off_centre < 0.06))
    if _likely(by_colour):
        yield labels(by_colour, np.zeros_like(by_colour))


def _lacked_by_the_border(lab: _Floats) -> _Bools:
    """Pixels (h, w) of colours that the middle of the picture has, and its border has not."""
    height, width = lab.shape[:2]
    y, x = np.mgrid[:height, :width]
    middle = ((x - width / 2) / (width / 2)) ** 2 + ((y - height / 2) / (height / 2)) ** 2 < 0.3
    frame = _frame((height, width), max(3, round(0.09 * min(height, width))))
    kinds = _kinds(lab)
    count = int(kinds.max()) + 1
    outside = np.bincount(kinds[frame], minlength=count) / frame.sum()
    inside = np.bincount(kinds[middle], minlength=count) / middle.sum()
    return np.asarray((inside > 2.0 * outside)[kinds])


def _mistaken(piece: _Bools, likely: _Bools) -> float:
    """0 to 1: colours that the border lacks but the piece leaves out, and colours of the border that it takes in."""
    import cv2

    # Not the rim, where colours mix.
    near = cv2.dilate(piece.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    area = max(float(piece.sum()), 1.0)
    left_out, taken_in = float((likely & ~near).sum()), float((piece & ~likely).sum())
    return _LEFT_OUT * min(left_out / area, 1.0) + _TAKEN_IN * taken_in / area


def _kinds(lab: _Floats) -> NDArray[np.int32]:
    """Which of the photo's main colours each pixel (h, w) has."""
    import cv2

    samples = np.ascontiguousarray(cv2.GaussianBlur(lab, (3, 3), 0).reshape(-1, 3))
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 8, 1.0)
    _, found, _ = cv2.kmeans(samples, _CENTRES, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    return np.asarray(found, np.int32).reshape(lab.shape[:2])


def _grabbed(small: NDArray[np.uint8], labels: NDArray[np.uint8], rounds: int) -> _Bools:
    import cv2

    known = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if known.sum() < 8 or (~known).sum() < 8:
        return known
    cv2.setRNGSeed(0)  # its colour clusters start at random; the same photo must give the same garment
    cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def _refined(fine: NDArray[np.uint8], coarse: _Bools) -> _Bools:
    """The coarse region's outline, found again on the larger picture near where it was."""
    import cv2

    height, width = fine.shape[:2]
    rough = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    factor = max(1.0, width / coarse.shape[1])
    reach = 2 * max(1, round(1.6 * factor)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    inside = (rough > 0.5).astype(np.uint8)
    labels = np.where(inside > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[cv2.erode(inside, disc, borderValue=(1.0,)) > 0] = cv2.GC_FGD
    labels[cv2.dilate(inside, disc) == 0] = cv2.GC_BGD
    return largest_piece(_grabbed(fine, labels, 1)) if factor > 1.2 else np.asarray(inside > 0)


def _looks(piece: _Bools, lab: _Floats) -> float:
    """0 to 1: how much a region is like a garment: symmetric, its outline where colours change, within the frame."""
    import cv2

    if not piece.any():
        return 0.0
    image = piece.astype(np.uint8)
    rows = np.flatnonzero(piece.any(axis=1))
    mirrored = _mirrored(piece)
    symmetric = float((piece & mirrored).sum() / (piece | mirrored).sum())
    reach = max(2, min(piece.shape) // 60)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    weights = [cv2.blur(side.astype(np.float32), (2 * reach + 1,) * 2) for side in (image, 1 - image)]
    colours = [
        cv2.blur(lab * side[..., None], (2 * reach + 1,) * 2) / np.maximum(weight, 1e-3)[..., None]
        for side, weight in zip((image, 1 - image), weights, strict=True)
    ]
    rim = (cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0) & ~_frame(piece.shape, 2)
    change = np.linalg.norm(colours[0] - colours[1], axis=2)[rim]
    clear = float(np.clip(change / _EDGE, 0, 1).mean()) if rim.any() else 0.0
    framed = piece[:, [1, -2]].mean() + 0.5 * piece[[1, -2]].mean()
    opened = cv2.morphologyEx(image, cv2.MORPH_OPEN, disc)
    ragged = 1 - float(opened.sum()) / float(image.sum())
    height = (rows[-1] - rows[0] + 1) / piece.shape[0]
    small = np.clip(0.3 - height, 0, 0.3)
    return float(0.45 * symmetric + 0.55 * clear - 0.5 * framed - 0.8 * ragged - small)


def _mirrored(piece: _Bools) -> _Bools:
    """At the median middle of its rows."""
    part = piece[piece.any(axis=1)]
    first, last = part.argmax(axis=1), part.shape[1] - 1 - part[:, ::-1].argmax(axis=1)
    twins = np.rint(2 * float(np.median((first + last) / 2)) - np.arange(piece.shape[1])).astype(int)
    known = (twins >= 0) & (twins < piece.shape[1])
    mirrored = np.zeros_like(piece)
    mirrored[:, known] = piece[:, twins[known]]
    return mirrored


def _evened(piece: _Bools, lab: _Floats) -> _Bools:
    """With what its other side has, where the colours are the garment's, if that makes it look more like one."""
    if not piece.any():
        return piece
    kinds = _kinds(lab)
    count = int(kinds.max()) + 1
    share = np.bincount(kinds[piece], minlength=count) / np.maximum(np.bincount(kinds.ravel(), minlength=count), 1)
    whole = largest_piece(piece | (_mirrored(piece) & (share > _ALIKE)[kinds]))
    return whole if _looks(whole, lab) > _looks(piece, lab) else piece


def _without_hanger(piece: _Bools, lab: _Floats) -> _Bools:
    """Cloth alone: not the hook above it, nor a hanger of quite another colour in its neck."""
    import cv2

    rows, columns = np.flatnonzero(piece.any(axis=1)), np.flatnonzero(piece.any(axis=0))
    tall, wide = len(rows), len(columns)
    high = np.arange(piece.shape[0])[:, None] < rows[0] + _HANGER_ABOVE * tall
    lower = lab[piece & ~high]
    if len(lower) < 50:
        return piece
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 8, 1.0)
    samples = np.ascontiguousarray(lower[:: max(1, len(lower) // 3000)])
    _, _, centres = cv2.kmeans(samples, min(6, len(samples)), None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    unlike = np.min([np.linalg.norm(lab - centre, axis=2) for centre in centres], axis=0) > _UNLIKE_CLOTH
    alien = (piece & high & unlike).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(alien, connectivity=8)
    # A hanger is seen against the background at its upper side; a print or a collar's lining is not as wide.
    hangers = [
        k
        for k in range(1, count)
        if stats[k, cv2.CC_STAT_WIDTH] > 0.3 * wide and stats[k, cv2.CC_STAT_TOP] <= rows[0] + 0.05 * tall
    ]
    kept = piece & ~np.isin(labels, hangers)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(_HOOK * wide / 2)) + 1,) * 2)
    stout = cv2.morphologyEx(kept.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0
    if not stout.any():
        return piece
    above = np.arange(piece.shape[0])[:, None] < np.flatnonzero(stout.any(axis=1))[0] + 1
    result = largest_piece(kept & ~(above & ~stout))
    return result if result.sum() > 0.7 * piece.sum() else piece
