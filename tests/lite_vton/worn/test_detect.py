"""Garments that somebody wears are told from flat ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.worn.detect import is_worn


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [draw_pair(11, index, 320, 240) for index in range(10)]


def silhouette(pair: Pair) -> np.ndarray:
    return (pair.parse > 0).astype(np.float32)


def sure(pair: Pair) -> Keypoints:
    return replace(pair.keypoints, confidence=np.where(pair.keypoints.visible, 1, 0).astype(np.float32))


@pytest.mark.slow
def test_people_are_seen_to_wear_their_garments(pairs: list[Pair]) -> None:
    assert all(is_worn(sure(pair), silhouette(pair)) for pair in pairs)


def test_a_face_in_doubt_is_nobody(pairs: list[Pair]) -> None:
    keypoints = sure(pairs[0])
    keypoints.confidence[Joint.NOSE] = 0.98
    assert not is_worn(keypoints, silhouette(pairs[0]))


def test_shoulders_without_a_head_above_them_are_a_hanger_s(pairs: list[Pair]) -> None:
    keypoints = sure(pairs[0])
    shape = silhouette(pairs[0])
    shape[: int(keypoints.points[Joint.NOSE, 1]) - 1] = 0
    assert not is_worn(keypoints, shape)
    low = sure(pairs[0])
    low.points[Joint.NOSE] = low.points[Joint.NECK] - (0, 4)
    assert not is_worn(low, silhouette(pairs[0]))


def test_a_figure_printed_on_a_garment_does_not_wear_it() -> None:
    pair = draw_pair(11, 0, 64, 48)
    shape = np.zeros((400, 300), np.float32)
    shape[200:264, 120:168] = silhouette(pair)
    moved = Keypoints(sure(pair).points + np.array([120, 200], np.float32), sure(pair).confidence)
    assert not is_worn(moved, shape)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 2), min_size=18, max_size=18), st.integers(0, 2**18 - 1))
def test_whatever_a_pose_estimator_finds_has_an_answer(points: list[tuple[float, float]], seen: int) -> None:
    confidence = np.array([1.0 if seen >> k & 1 else 0.0 for k in range(18)], np.float32)
    assert is_worn(Keypoints(np.array(points, np.float32), confidence), np.ones((40, 30), np.float32)) in (True, False)
