"""Other colours and another light, for the garment and for the photo it is worn in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lite_vton.person.parse_labels import Part
from lite_vton_training.mix.backdrops import Backdrops
from lite_vton_training.mix.worn import Worn

__all__ = ["another_background", "another_light", "recoloured", "without_shading"]

_Picture = NDArray[np.uint8]
_Floats = NDArray[np.float32]


def recoloured(worn: Worn, rng: np.random.Generator) -> Worn:
    """The garment in other colours, alike where it is worn and where it lies flat; light and folds stay.

    In CIELAB hues turn, chroma and contrast grow or shrink, and all of it is tinted, so that grey cloth gets a colour.
    """
    angle, chroma = rng.uniform(-np.pi, np.pi), rng.uniform(0.4, 1.5)
    tint = rng.normal(0, 14, 2)
    contrast, lift = rng.uniform(0.75, 1.2), rng.normal(0, 9)
    turn = chroma * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def change(pixels: _Picture) -> _Floats:
        lab = _lab(pixels)
        light = 50 + contrast * (lab[..., :1] - 50) + lift
        return _rgb(np.concatenate([light, lab[..., 1:] @ turn.T + tint], axis=2))

    share = _soft(worn.worn, 1.0)[..., None]
    picture = worn.picture * (1 - share) + change(worn.picture) * share
    garment = replace(worn.garment, pixels=_picture(change(worn.garment.pixels)))
    return replace(worn, picture=_picture(picture), garment=garment)


def another_light(worn: Worn, rng: np.random.Generator, *, also_garment: bool) -> Worn:
    """The photo brighter, darker, warmer, cooler, and lit from one side; the flat garment in the same light, or as is.

    Where it stays as it is, what the person's skin and surroundings look like is all that tells how to light it.
    """
    strength = 1.0 if also_garment else 0.6
    gain = np.exp(strength * (rng.normal(0, 0.12) + rng.normal(0, 0.05, 3)))
    gamma = float(np.exp(strength * rng.normal(0, 0.12)))
    height, width = worn.picture.shape[:2]
    way = rng.uniform(-np.pi, np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    side = 1 + strength * rng.uniform(0, 0.22) * (x * np.cos(way) + y * np.sin(way))

    def change(pixels: _Picture) -> NDArray[np.float64]:
        return np.asarray(255 * (pixels / 255.0) ** gamma * gain)

    garment = worn.garment
    if also_garment:
        garment = replace(garment, pixels=_picture(change(garment.pixels)))
    return replace(worn, picture=_picture(change(worn.picture) * side[..., None]), garment=garment)


def another_background(worn: Worn, rng: np.random.Generator, backdrops: Backdrops | None = None) -> Worn:
    """Behind the person a backdrop, or where there are none, and now and then, smooth colours with some grain."""
    import cv2

    height, width = worn.picture.shape[:2]
    if backdrops is not None and rng.random() < 0.7:
        field = backdrops.draw(rng, height, width).astype(np.float64)
    else:
        rows, columns = rng.integers(1, 6, 2)
        coarse = rng.uniform(20, 235, 3) + rng.normal(0, 35, (rows, columns, 3))
        smooth = np.asarray(cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC))
        field = np.clip(smooth + rng.normal(0, rng.uniform(0, 8), (height, width, 1)), 0, 255)
    share = _soft(worn.parse == Part.BACKGROUND, 0.7)[..., None]
    return replace(worn, picture=_picture(worn.picture * (1 - share) + field * share))


def without_shading(worn: Worn, rng: np.random.Generator) -> Worn:
    """The flat garment without some of the light and shade it had when it was worn, as a shop's garment has none."""
    import cv2

    pixels, mask = worn.garment.pixels, worn.garment.mask
    lab = _lab(pixels)
    light, sigma = lab[..., 0], rng.uniform(0.03, 0.1) * pixels.shape[1]
    weight = cv2.GaussianBlur(mask, (0, 0), sigma)
    smooth = cv2.GaussianBlur(light * mask, (0, 0), sigma) / np.maximum(weight, 1e-3)
    mean = float((light * mask).sum() / max(float(mask.sum()), 1.0))
    lab[..., 0] = light - rng.uniform(0.4, 1.0) * np.where(mask > 0.1, smooth - mean, 0)
    return replace(worn, garment=replace(worn.garment, pixels=_picture(_rgb(lab))))


def _lab(pixels: _Picture) -> _Floats:
    import cv2

    return np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _rgb(lab: ArrayLike) -> _Floats:
    import cv2

    return np.asarray(255 * cv2.cvtColor(np.asarray(lab, np.float32), cv2.COLOR_LAB2RGB), np.float32)


def _soft(region: NDArray[np.bool_], sigma: float) -> _Floats:
    import cv2

    return np.asarray(cv2.GaussianBlur(region.astype(np.float32), (0, 0), sigma), np.float32)


def _picture(pixels: ArrayLike) -> _Picture:
    return np.asarray(np.rint(np.clip(pixels, 0, 255)), np.uint8)
