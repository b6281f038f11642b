"""Places on the body and where they are seen: each way undoes the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.pair import draw_pair
from lite_vton.person.body import Limb, Torso, Wearer

HALF = ((-0.1, 0.12, 0.33, 0.68, 1.0), (30.0, 30.0, 27.0, 24.0, 28.0))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1.3, 1.3), st.floats(-0.1, 2.0)), min_size=1, max_size=20),
    st.floats(-1, 1),
    st.floats(-0.3, 0.3),
)
def test_a_place_on_the_torso_is_found_again_where_it_is_seen(
    places: list[tuple[float, float]], turn: float, lean: float
) -> None:
    across = np.array([[np.cos(lean), np.sin(lean)], [1.0, 0.0]])
    torso = Torso(np.array([90.0, 60.0]), np.array([8.0, 110.0]), across, turn)
    u, v = np.array(places).T
    found = torso.locate(torso.place(u, v, HALF), HALF)
    np.testing.assert_allclose(found[1], v, atol=5e-3)
    np.testing.assert_allclose(found[0], u, atol=2e-2)


@pytest.fixture(scope="module")
def wearers() -> list[Wearer]:
    return [Wearer.of(draw_pair(1, index, 128, 96).keypoints.completed()) for index in range(4)]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3), st.floats(0.0, 1.0), st.floats(-0.5, 0.5))
def test_a_place_on_an_arm_is_found_again_where_it_is_seen(
    wearers: list[Wearer], index: int, share: float, offset: float
) -> None:
    for arm in wearers[index].arms:
        along = np.array([share * arm.length])
        found = arm.locate(arm.place(along, np.array([offset])))
        np.testing.assert_allclose(found[0], along, atol=1.0)
        np.testing.assert_allclose(found[1], offset, atol=0.2)


def test_beyond_its_ends_an_arm_goes_on_straight() -> None:
    arm = Limb(np.array([[0.0, 0.0], [0.0, 10.0], [0.0, 20.0]]), True)
    np.testing.assert_allclose(arm.place(np.array([-5.0, 25.0]), np.zeros(2)), [[0, -5], [0, 25]])
