"""Trousers and skirts told apart by their silhouette."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.garment.lower_cut import read_lower_cut
from tests.lite_vton.garment.flat_lowers import skirt, trousers

QUICK = settings(max_examples=40, deadline=None)


@pytest.mark.parametrize("leg", [30, 100, 360])
@pytest.mark.parametrize("gap", [5, 40])
def test_legs_part_where_they_were_drawn_to(leg: int, gap: int) -> None:
    cut = read_lower_cut(trousers(leg, gap)[1])
    assert cut.crotch == pytest.approx(120, abs=max(4, 0.06 * leg))
    assert cut.bottom == pytest.approx(120 + leg, abs=2)
    assert cut.waist == pytest.approx(144, abs=12)
    assert cut.hip == pytest.approx(180, abs=16)


@pytest.mark.parametrize(("length", "hem"), [(90, 75), (200, 100), (300, 180)])
def test_a_skirt_has_no_crotch(length: int, hem: int) -> None:
    cut = read_lower_cut(skirt(length, hem)[1])
    assert cut.crotch is None
    assert cut.bottom - cut.top == pytest.approx(length, abs=2)
    assert cut.hip == pytest.approx(max(140, 2 * hem), abs=8)


def test_a_slit_at_the_side_or_a_crease_makes_no_trousers() -> None:
    _, mask = skirt(250, 100)
    mask[180:, 256:266] = 0
    mask[60:, 199:201] = 0
    assert read_lower_cut(mask).crotch is None


def test_trousers_whose_cuffs_touch_are_trousers() -> None:
    _, mask = trousers(300, 25)
    mask[395:410, 150:250] = 1
    assert read_lower_cut(mask).crotch == pytest.approx(120, abs=18)


def test_a_leg_s_edges_are_its_own() -> None:
    cut = read_lower_cut(trousers(300, 40)[1])
    for leg, sides in ((0, (90, 160)), (1, (240, 310))):
        ends = [float(cut.column(np.array([u]), np.array([415.0]), leg)[0]) for u in (-1.0, 1.0)]
        np.testing.assert_allclose(ends, sides, atol=5)
    # Above the crotch the two together are the whole.
    for u in (-1.0, -0.4, 0.0, 0.6, 1.0):
        whole = cut.column(np.array([u]), np.array([80.0]))
        half = cut.column(np.array([2 * u + 1 if u < 0 else 2 * u - 1]), np.array([80.0]), 0 if u < 0 else 1)
        np.testing.assert_allclose(half, whole, atol=2)


@QUICK
@given(seed=st.integers(0, 10_000), size=st.tuples(st.integers(1, 80), st.integers(1, 80)), fill=st.floats(0, 1))
def test_any_silhouette_has_a_cut(seed: int, size: tuple[int, int], fill: float) -> None:
    mask = (np.random.default_rng(seed).random(size) < fill).astype(np.float32)
    mask[size[0] // 2, size[1] // 2] = 1
    cut = read_lower_cut(mask)
    assert cut.bottom > cut.top
    assert cut.crotch is None or cut.top < cut.crotch < cut.bottom
    for values in (cut.left, cut.right, cut.inner, cut.hems):
        assert np.isfinite(values).all()
    assert cut.waist >= 1
    assert cut.hip >= 1
