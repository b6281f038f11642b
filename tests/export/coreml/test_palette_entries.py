from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from lite_vton_export.coreml.palette_entries import entries

PALETTE = np.linspace(-1, 1, 64).astype(np.float16)
FINITE = {"allow_nan": False, "allow_infinity": False}


def nearest(weight: NDArray[Any], palette: NDArray[Any]) -> NDArray[np.intp]:
    return np.abs(weight.astype(np.float64).ravel()[:, None] - palette.astype(np.float64)).argmin(axis=1)


def errors(weight: NDArray[Any], palette: NDArray[Any], chosen: NDArray[Any]) -> NDArray[np.float64]:
    """One row a kernel."""
    found = palette.astype(np.float64)[chosen] - weight.astype(np.float64).ravel()
    return found.reshape(weight.shape[0] * weight.shape[1], -1)


def test_a_kernels_sum_is_kept_for_a_tenth_more_in_squares() -> None:
    weight = np.random.default_rng(0).uniform(-1, 1, (32, 32, 3, 3)).astype(np.float16)
    kept, usual = (errors(weight, PALETTE, chosen) for chosen in (entries(weight, PALETTE), nearest(weight, PALETTE)))
    assert (kept.sum(axis=1) ** 2).mean() < 0.15 * (usual.sum(axis=1) ** 2).mean()
    assert (kept**2).mean() < 1.15 * (usual**2).mean()


def test_a_matrix_has_no_kernels_and_gets_the_nearest() -> None:
    weight = np.random.default_rng(0).uniform(-1.2, 1.2, (50, 40)).astype(np.float16)
    for given_weight in (weight, weight[:, :, None, None]):
        off = errors(given_weight, PALETTE, entries(given_weight, PALETTE))
        assert (
            np.abs(off).ravel().tolist() == np.abs(errors(weight, PALETTE, nearest(weight, PALETTE))).ravel().tolist()
        )


def test_numbers_of_the_palette_stay_themselves() -> None:
    chosen = np.random.default_rng(0).integers(0, 64, 16 * 8 * 9)
    assert entries(PALETTE[chosen].reshape(16, 8, 3, 3), PALETTE).tolist() == chosen.tolist()


def test_a_kernel_is_answered_alike_among_many_and_few() -> None:
    weight = np.random.default_rng(0).uniform(-1, 1, (300, 300, 2)).astype(np.float16)
    parts = [entries(rows, PALETTE) for rows in np.split(weight, 3)]
    assert np.array_equal(entries(weight, PALETTE), np.concatenate(parts))


@given(
    hnp.arrays(np.float16, st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)),
               elements=st.floats(-4, 4, width=16, **FINITE)),
    hnp.arrays(np.float16, st.integers(2, 256), elements=st.floats(-4, 4, width=16, **FINITE)),
)  # fmt: skip
def test_of_any_weight_and_palette_sums_and_squares_together_are_no_worse_than_the_nearests(
    weight: NDArray[np.float16], palette: NDArray[np.float16]
) -> None:
    palette = np.sort(palette)
    chosen = entries(weight, palette)
    assert chosen.dtype == np.uint8
    assert chosen.shape == (weight.size,)
    assert chosen.max() < len(palette)
    kept, usual = (errors(weight, palette, which) for which in (chosen, nearest(weight, palette)))
    cost = [4 * error.sum(axis=1) ** 2 + (error**2).sum(axis=1) for error in (kept, usual)]
    assert (cost[0] <= cost[1] + 1e-4 * (1 + cost[1])).all()
