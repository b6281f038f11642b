"""Where painted and photographed pixels meet."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.photo.seam import match_seam, seam_step

HEIGHT, WIDTH = 64, 48


def scene(drift: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Photo, the same painted with other light, mask, and a garment in its middle."""
    rows = np.linspace(80, 160, HEIGHT)[:, None, None]
    photo = np.broadcast_to(rows, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    mask, garment = np.zeros((HEIGHT, WIDTH), np.float32), np.zeros((HEIGHT, WIDTH), np.float32)
    mask[12:52, 10:38] = 1
    garment[24:40, 18:30] = 1
    return photo, (photo.astype(int) + drift).astype(np.uint8), mask, garment


def composite(photo: np.ndarray, painted: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None] > 0.5, painted, photo)


def test_another_light_is_brought_to_the_photo_s_at_the_edge() -> None:
    for drift in (-20, 12, 25):
        photo, painted, mask, garment = scene(drift)
        matched = match_seam(painted, photo, mask, garment)
        before, after = (seam_step(composite(photo, p, mask), mask) for p in (painted, matched))
        assert before > 0.8 * abs(drift)
        assert after < 0.35 * before


def test_the_garment_keeps_its_colours() -> None:
    photo, painted, mask, garment = scene(20)
    matched = match_seam(painted, photo, mask, garment)
    np.testing.assert_array_equal(matched[garment > 0], painted[garment > 0])


def test_another_thing_is_not_taken_for_another_light() -> None:
    photo, painted, mask, garment = scene(90)
    np.testing.assert_array_equal(match_seam(painted, photo, mask, garment), painted)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_nothing_outside_the_mask_is_touched(seed: int, share: float) -> None:
    draw = np.random.default_rng(seed)
    photo, painted = draw.integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    mask = (draw.random((HEIGHT, WIDTH)) < share).astype(np.float32)
    matched = match_seam(painted, photo, mask, draw.random((HEIGHT, WIDTH), dtype=np.float32))
    np.testing.assert_array_equal(matched[mask == 0], painted[mask == 0])
