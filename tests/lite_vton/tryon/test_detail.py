"""What the autoencoder loses of the warp comes back where the network left the warp as it was, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.tryon.detail import carry_detail
from lite_vton.tryon.inputs import FloatArray

HEIGHT, WIDTH = 256, 192


def blurred(picture: FloatArray, deviation: float = 3.0) -> FloatArray:
    rows = np.ascontiguousarray(picture[0].transpose(1, 2, 0))
    return np.ascontiguousarray(cv2.GaussianBlur(rows, (0, 0), deviation).transpose(2, 0, 1)[None])


def striped(period: int = 6) -> FloatArray:
    """Stripes across, in colour (1, 3, H, W)."""
    rows = np.where(np.arange(HEIGHT) // (period // 2) % 2, 0.6, -0.4).astype(np.float32)
    return np.ascontiguousarray(rows[None, None, :, None] * np.ones((1, 3, 1, WIDTH), np.float32))


def rms(a: FloatArray, b: FloatArray) -> float:
    return float(np.sqrt(np.square(a - b).mean()))


def test_stripes_and_colours_the_autoencoder_lost_come_back() -> None:
    warp = striped()
    tinted = blurred(warp) + np.array([0.2, 0.0, -0.2], np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(carry_detail(tinted, warp, tinted), warp, atol=1e-6)


def test_what_the_network_painted_instead_stays() -> None:
    """An arm before the garment: skin, plain; the warp shows stripes of another colour there."""
    warp = striped()
    painted = np.full((1, 3, HEIGHT, WIDTH), -0.9, np.float32)
    assert rms(carry_detail(painted, warp, blurred(warp)), painted) < 0.005


def test_shading_is_the_networks() -> None:
    """Brightness differs a little, as light does: it is kept from the painting, stripes from the warp."""
    warp = striped()
    reconstruction = blurred(warp)
    painted = reconstruction - np.float32(0.08)
    result = carry_detail(painted, warp, reconstruction)
    assert abs(float(result.mean()) - float(painted.mean())) < 0.01
    assert rms(result, warp - np.float32(0.08)) < 0.3 * rms(painted, warp - np.float32(0.08))


def test_nothing_is_added_where_nothing_was_lost() -> None:
    warp = striped()
    painted = blurred(warp)
    np.testing.assert_array_equal(carry_detail(painted, warp, warp), painted)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.floats(1e-4, 1e-2))
def test_small_differences_between_backends_stay_small(seed: int, size: float) -> None:
    random = np.random.default_rng(seed)
    painted, warp, near, rounding = (random.uniform(-1, 1, (1, 3, 64, 48)).astype(np.float32) for _ in range(4))
    moved = carry_detail(painted + np.float32(size) * rounding, warp, near)
    # The steepest the trust gets times the largest detail bounds the gain.
    assert np.abs(moved - carry_detail(painted, warp, near)).max() < 20 * size
