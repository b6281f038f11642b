"""Sharpness falls with blur and looks inside the mask alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lite_vton_training.metrics import Picture, relative_sharpness

INSIDE = np.zeros((40, 30), bool)
INSIDE[10:30, 8:22] = True


@pytest.fixture
def target() -> Picture:
    return np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)


def test_a_picture_is_as_sharp_as_itself(target: Picture) -> None:
    assert relative_sharpness(target, target, INSIDE) == 1


def test_more_blur_is_less_sharp(target: Picture) -> None:
    def blurred(radius: float) -> Picture:
        return np.asarray(Image.fromarray(target).filter(ImageFilter.GaussianBlur(radius)))

    assert 1 > relative_sharpness(blurred(0.5), target, INSIDE) > relative_sharpness(blurred(2), target, INSIDE)


def test_what_is_outside_does_not_count(target: Picture) -> None:
    other = np.where(INSIDE[..., None], target, 0).astype(np.uint8)
    assert relative_sharpness(other, target, INSIDE) == 1


def test_nothing_to_compare_with_is_said(target: Picture) -> None:
    assert np.isnan(relative_sharpness(target, np.zeros_like(target), INSIDE))
    assert np.isnan(relative_sharpness(target, target, np.zeros_like(INSIDE)))
