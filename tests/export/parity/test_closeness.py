from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lite_vton_export.parity.closeness import IDENTICAL_DB, closeness, echo, echo_psnr, picture_psnr


def test_psnr_takes_the_range_of_the_reference_as_its_peak() -> None:
    reference = np.array([[[0.0, 4.0, 0.0, 4.0]]])
    # peak 4, mse 0.01: 10 log10(16 / 0.01) = 32.04 dB
    figures = closeness(reference + 0.1, reference)
    assert figures.psnr_db == pytest.approx(32.0412, abs=1e-4)
    assert figures.max_abs == pytest.approx(0.1)


def test_a_constant_channel_flatters_nothing_but_its_error_counts() -> None:
    signal = np.array([[[0.0, 1.0, 0.0, 1.0]]])
    both = np.concatenate([signal, np.full_like(signal, -30.0)], axis=1)
    alone = closeness(signal + 0.1, signal)
    beside = both.copy()
    beside[:, 0] += 0.1
    assert closeness(beside, both) == alone
    broken = both.copy()
    broken[:, 1] += 1.0
    assert closeness(broken, both).psnr_db < 1
    assert closeness(broken, both).max_abs == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_no_likeness(value: float) -> None:
    reference = np.linspace(0, 1, 8).reshape(1, 2, 4)
    found = reference.copy()
    found[0, 1, 2] = value
    figures = closeness(found, reference)
    assert (figures.nonfinite, figures.psnr_db, figures.cosine) == (1, 0.0, 0.0)


def test_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected"):
        closeness(np.zeros((1, 4)), np.zeros((1, 5)))


@given(arrays(np.float32, (1, 2, 5), elements=st.floats(-1e3, 1e3, width=32)))
def test_identical_tensors_reach_the_cap(array: np.ndarray) -> None:
    figures = closeness(array, array)
    assert figures.psnr_db == IDENTICAL_DB
    assert figures.cosine == pytest.approx(1.0)
    assert figures.max_abs == 0


def test_the_negative_of_a_tensor_points_the_other_way() -> None:
    reference = np.array([[[-1.0, 1.0, 2.0]]])
    assert closeness(-reference, reference).cosine == pytest.approx(-1.0)


def test_pictures_are_compared_at_peak_255() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert picture_psnr(black + np.uint8(255), black) == pytest.approx(0.0)
    assert picture_psnr(black + np.uint8(1), black) == pytest.approx(48.13, abs=0.01)
    assert picture_psnr(black, black) == IDENTICAL_DB


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1), error=st.floats(1e-6, 0.1), constant=st.booleans())
def test_echoes_tell_how_far_apart_two_answers_are(seed: int, error: float, constant: bool) -> None:
    random = np.random.default_rng(seed)
    reference, then = random.standard_normal((2, 1, 4, 24, 16))
    if constant:
        reference[:, 2:] = then[:, 2:] = -30.0
    now = then + error * random.standard_normal(then.shape)
    apart = closeness(reference + (now - then), reference).psnr_db
    told = echo_psnr(echo(now, reference), echo(then, reference))
    assert told == pytest.approx(apart, abs=7)  # by chance: 16 vectors give 1.5 dB of standard deviation
    assert echo_psnr(echo(then, reference), echo(then, reference)) == IDENTICAL_DB


def test_an_answer_of_another_length_echoes_nothing() -> None:
    assert echo_psnr((1.0,), ()) == 0.0
