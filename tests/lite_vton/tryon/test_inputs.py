"""What the network is told."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.tryon.inputs import TryOnInputs, latent_mask, to_network, to_picture

QUICK = settings(max_examples=25, deadline=None)


@QUICK
@given(seed=st.integers(0, 1000), height=st.integers(1, 30), width=st.integers(1, 30))
def test_a_picture_survives_the_way_to_the_network_and_back(seed: int, height: int, width: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tensor = to_network(picture)
    assert tensor.shape == (1, 3, height, width)
    assert tensor.dtype == np.float32
    np.testing.assert_array_equal(to_picture(tensor), picture)


def test_values_beyond_the_range_are_clipped() -> None:
    tensor = np.array([-3.0, 0.0, 3.0], np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_array_equal(to_picture(tensor)[0, 0], [0, 128, 255])


def compose(warped_mask: np.ndarray) -> TryOnInputs:
    person = np.full((16, 8, 3), 255, np.uint8)
    mask = np.zeros((16, 8), np.float32)
    mask[8:] = 1
    garment = np.full((16, 8, 3), 255, np.uint8)
    return TryOnInputs.compose(person, mask, garment, warped_mask.astype(np.float32), np.zeros((16, 8, 3), np.uint8))


def test_the_repaint_region_is_grey_and_the_rest_the_person() -> None:
    inputs = compose(np.zeros((16, 8)))
    assert np.all(inputs.masked_person[..., 8:, :] == 0)
    assert np.all(inputs.masked_person[..., :8, :] == 1)
    assert np.all(inputs.person == 1)
    assert np.all(inputs.pose == -1)


def test_the_garment_is_pasted_inside_the_mask_only_and_as_softly_as_it_ends() -> None:
    soft = np.zeros((16, 8))
    soft[4:] = 0.5
    inputs = compose(soft)
    assert np.all(inputs.masked_person[..., :8, :] == 1)
    np.testing.assert_allclose(inputs.masked_person[..., 8:, :], 0.5)


def test_a_latent_position_is_repainted_if_any_of_its_pixels_is() -> None:
    mask = np.zeros((1, 1, 16, 24), np.float32)
    mask[0, 0, 7, 8] = 1
    np.testing.assert_array_equal(latent_mask(mask)[0, 0], [[0, 1, 0], [0, 0, 0]])
