"""Scores mean what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import masked_psnr, ssim


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 48, 3), dtype=np.uint8)


def test_psnr_counts_only_the_pixels_inside() -> None:
    target = np.full((8, 8, 3), 100, np.uint8)
    picture = target.copy()
    picture[:4] += 10
    picture[4:] = 255
    inside = np.zeros((8, 8), bool)
    inside[:4] = True
    assert masked_psnr(picture, target, inside) == pytest.approx(20 * np.log10(255 / 10))


def test_equal_pictures_score_the_highest() -> None:
    assert masked_psnr(noise(0), noise(0), np.ones((64, 48), bool)) == 100
    assert ssim(noise(0), noise(0)) == pytest.approx(1.0, abs=1e-5)


def test_unrelated_pictures_have_no_structure_in_common() -> None:
    assert abs(ssim(noise(0), noise(1))) < 0.05
