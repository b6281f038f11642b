"""How long and how wide a worn garment is, measured on the body of its wearer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category
from lite_vton.garment.cut import ARM_TAPER
from lite_vton.garment.sleeves import Points, thickness
from lite_vton.person.body import Build, Limb, Wearer
from lite_vton.worn.cloth import Place, WornCloth

Half = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class _Lengths:
    """v of the hem: lowest, highest, and where it is if nothing shows it."""

    low: float
    high: float
    usual: float


LENGTHS: dict[Category, _Lengths] = {"upper": _Lengths(0.72, 1.4, 1.05), "dress": _Lengths(1.2, 2.4, 1.7)}
LONG = 1.2  # v of the hem beyond which a top is rather one that ends higher, and trousers of its colours
EDGE_FROM = 0.85  # v
_CLEAR_EDGE = 16.0  # CIELAB distance between what is above a hem and below
_BARE_FROM, _BARE = 0.7, 0.6  # share of the arm that is covered at most, and of the rest that is skin at least
_SLEEVELESS, _WHOLE_ARM = 0.12, 0.86  # shares of the arm


def usual_half(build: Build) -> Half:
    """Half widths in pixels at some v, of cloth that lies close."""
    size = build.size
    shoulder = build.shoulder + 0.5 * size
    chest, waist, hip = build.chest + 1.5 * size, build.waist + 1.5 * size, build.hip + 1.5 * size
    return (-0.1, 0.12, 0.33, 0.68, 1.0, 1.3, 1.7, 2.2), (shoulder, shoulder, chest, waist, hip, hip, hip, hip)


def measured_lengths(half: Half, cloth: NDArray[np.bool_], wearer: Wearer) -> Half:
    """Widths as seen where the arms do not hide them."""
    free = cloth & ~_arms(wearer, cloth.shape)
    torso, found = wearer.torso, list(half[1])
    for k, v in enumerate(half[0]):
        if v < 0.5:
            continue
        reaches = []
        share = min(v, 1.0)
        across = torso.across[0] * (1 - share) + torso.across[1] * share
        steps = np.arange(0, 2.2 * half[1][k])
        for near in np.linspace(v - 0.04, v + 0.04, 5):
            for sign in (-1.0, 1.0):
                line = torso.top + near * torso.axis + sign * steps[:, None] * across
                inside = looked_up(free, line)
                if inside[: max(1, len(inside) // 4)].mean() > 0.5:
                    reaches.append(float(np.flatnonzero(inside)[-1]))
        if len(reaches) >= 4:
            high = 1.35 if v <= 1 else 1.9
            found[k] = float(np.clip(np.quantile(reaches, 0.75), 0.92 * half[1][k], high * half[1][k]))
        elif v > 1:
            found[k] = found[k - 1]
    return half[0], tuple(found)


def _arms(wearer: Wearer, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where arms are, from the armpit down."""
    import cv2

    canvas = np.zeros(shape, np.uint8)
    for arm in wearer.arms:
        line = np.clip(np.rint(arm.line), -1e4, 1e4).astype(np.int32)
        thickness = max(1, round(2.6 * wearer.build.arm))
        cv2.polylines(canvas, [line[1:]], False, (1,), min(thickness, 16000))
    return canvas > 0


def hem_of(cloth: NDArray[np.bool_], place: Place, lengths: _Lengths, sure: bool) -> float:
    """v where the garment ends: cloth above it, something else below. `sure` where `cloth` was not told by colours."""
    at = np.linspace(0.3, lengths.high + 0.15, 90)
    shares = np.full(len(at), np.nan)
    core = np.abs(place.u) < 0.5
    rows = np.digitize(place.v, at)
    for k in range(1, len(at)):
        here = core & (rows == k)
        if here.sum() >= 4:
            shares[k] = cloth[here].mean()
    seen = np.isfinite(shares)
    if not seen.any():
        return lengths.usual
    values = np.where(seen, shares - 0.5, 0.0)
    best = float(at[int(np.cumsum(values).argmax())])
    if best > min(lengths.high, float(at[seen][-1]) - 0.04):
        # Nothing ends it: the frame cuts it off, or trousers are as dark.
        return max(lengths.usual, min(best, lengths.high)) if sure else lengths.usual
    return float(np.clip(best, lengths.low, lengths.high))


def edge_of(photo: NDArray[np.uint8], person: NDArray[np.bool_], place: Place, low: float, high: float) -> float:
    """v above `high` where the colour changes for good, if it does: trousers may have colours of the top's print."""
    import cv2

    at = np.arange(low - 0.16, high + 0.14, 0.02)
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    core = person & (np.abs(place.u) < 0.5) & ~place.hand
    rows = np.where(core, np.digitize(place.v, at), 0)
    colours = np.array(
        [np.median(lab[rows == k], axis=0) if (rows == k).sum() >= 4 else np.full(3, np.nan) for k in range(1, len(at))]
    )
    span = 6
    changes = np.zeros(len(colours))
    for k in range(span, len(colours) - span):
        if low <= at[k] <= high - 0.05:
            sides = (colours[k - span : k], colours[k : k + span])
            above, below = (part[np.isfinite(part[:, 0])] for part in sides)
            if len(above) and len(below):
                changes[k] = float(np.linalg.norm(np.median(above, axis=0) - np.median(below, axis=0)))
    # The first one: below it come belts, and legs.
    clear = np.flatnonzero(
        (changes > _CLEAR_EDGE) & (changes >= cv2.dilate(changes, np.ones((2 * span + 1, 1))).ravel())
    )
    return float(at[clear[0]]) if len(clear) else high


def sleeve_share(found: WornCloth, wearer: Wearer, bare_arm_tells: bool) -> float:
    """Share of the arm that sleeves cover, 0 without sleeves: cloth until there, skin beyond.

    Hair or a bag may hide one of the two, so the longer counts, unless `bare_arm_tells` and one is bare to the wrist.
    """
    t = np.linspace(0.02, 1.0, 50)
    half = np.interp(t, *ARM_TAPER) * thickness(t, wearer.build)
    shares, bare = [0.0], []
    for arm in wearer.arms:
        if not arm.seen:
            continue
        lines = [arm.place(t * arm.length, offset * half) for offset in (-0.4, -0.2, 0.0, 0.2, 0.4)]
        cloth, skin = (np.sum([looked_up(part, line) for line in lines], axis=0) for part in (found.cloth, found.skin))
        sums = np.cumsum((cloth - skin) / len(lines))
        shares.append(float(t[int(sums.argmax())]) if sums.max() > 0 else 0.0)
        if shares[-1] < _BARE_FROM and float(skin[t > shares[-1]].mean()) > _BARE * len(lines):
            bare.append(shares[-1])
    share = min(bare) if bare_arm_tells and bare else max(shares)
    if share < _SLEEVELESS:
        return 0.0
    return 1.0 if share > _WHOLE_ARM else share


def eases_of(cloth: NDArray[np.bool_], wearer: Wearer, sleeve: float) -> tuple[float, float]:
    """How wide sleeves are for the arms in them, on the side away from the body."""
    found = []
    for side, arm in enumerate(wearer.arms):
        t = np.linspace(0.3, 0.9, 12) * sleeve
        usual = np.interp(t, *ARM_TAPER) * thickness(t, wearer.build)
        outward = 1.0 if side == 0 else -1.0
        steps = np.linspace(0.3, 2.2, 20)
        reach = [
            steps[inside][-1] if (inside := looked_up(cloth, _line(arm, a, outward * steps * h))).any() else 1.0
            for a, h in zip(t * arm.length, usual, strict=True)
        ]
        found.append(float(np.clip(np.median(reach), 1.0, 1.8)))
    both = max(found) if min(found) < 1.05 else float(np.mean(found))
    return both, both


def _line(arm: Limb, along: float, offsets: Points) -> Points:
    return arm.place(np.full(len(offsets), along), offsets)


def looked_up(image: NDArray[np.bool_], points: Points) -> NDArray[np.bool_]:
    """`image` (H, W) at points (..., 2), False outside."""
    height, width = image.shape
    x, y = np.floor(np.clip(points[..., 0], -1, width)).astype(int), np.floor(np.clip(points[..., 1], -1, height))
    rows = y.astype(int)
    inside = (x >= 0) & (x < width) & (rows >= 0) & (rows < height)
    return np.asarray(inside & image[np.clip(rows, 0, height - 1), np.clip(x, 0, width - 1)])
