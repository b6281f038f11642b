from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.ccp.labels import Kind, meanings_of
from lite_vton.data.ccp.parse import lip_parse
from lite_vton.errors import UserError
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.parse_labels import Part
from tests.lite_vton.data.ccp.drawn_source import LABELS, drawn

MEANINGS = meanings_of(LABELS)


@pytest.mark.parametrize("index", range(4))
def test_skin_becomes_the_parts_it_was_drawn_as(index: int) -> None:
    pair, labels = drawn(index, 256, 192)
    parse = lip_parse(MEANINGS[labels], pair.keypoints)
    for part in (Part.FACE, Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_LEG, Part.RIGHT_LEG):
        here = pair.parse == part
        if here.sum() > 50:
            assert (parse[here] == part).mean() > 0.9, part.name


def test_what_is_no_skin_keeps_its_meaning() -> None:
    pair, labels = drawn(0, 256, 192)
    parse = lip_parse(MEANINGS[labels], pair.keypoints)
    for part in (Part.BACKGROUND, Part.HAIR, Part.UPPER_CLOTHES, Part.DRESS, Part.TROUSERS, Part.SKIRT):
        np.testing.assert_array_equal(parse == part, pair.parse == part)


def test_shoes_stockings_and_gloves_are_of_the_nearer_side() -> None:
    pair, _ = drawn(0, 256, 192)
    left, right = Joint.L_KNEE, Joint.R_KNEE
    points = pair.keypoints.points.copy()
    points[[Joint.R_HIP, right, Joint.R_ANKLE]] = [(80, 140), (80, 190), (80, 240)]
    points[[Joint.L_HIP, left, Joint.L_ANKLE]] = [(110, 140), (110, 190), (110, 240)]
    keypoints = Keypoints(points, np.ones(18, np.float32))
    codes = np.zeros((256, 192), np.uint8)
    codes[170:230, 70:120] = Kind.LEG
    codes[232:250, 70:120] = Kind.SHOE
    parse = lip_parse(codes, keypoints)
    assert (parse[200, 75], parse[200, 115]) == (Part.RIGHT_LEG, Part.LEFT_LEG)
    assert (parse[240, 75], parse[240, 115]) == (Part.RIGHT_SHOE, Part.LEFT_SHOE)


def test_what_is_carried_is_background() -> None:
    pair, labels = drawn(0, 256, 192)
    labels[100:120, 80:100] = LABELS.index("bag")
    assert (lip_parse(MEANINGS[labels], pair.keypoints)[100:120, 80:100] == Part.BACKGROUND).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(-300, 600, width=32)] * 2), min_size=18, max_size=18),
    st.integers(0, 2**18 - 1),
    st.integers(0, 2**32 - 1),
)
def test_whatever_keypoints_and_labels_there_are_only_lip_labels_come_out(
    points: list[tuple[float, float]], seen: int, seed: int
) -> None:
    confidence = np.array([1.0 if seen >> k & 1 else 0.0 for k in range(18)], np.float32)
    labels = np.random.default_rng(seed).integers(0, len(LABELS), (24, 18))
    try:
        parse = lip_parse(MEANINGS[labels], Keypoints(np.array(points, np.float32), confidence))
    except UserError:
        assert not confidence[[2, 5]].any() or not confidence[[8, 11]].any()
        return
    assert parse.shape == labels.shape
    assert set(np.unique(parse).tolist()) <= {int(part) for part in Part}
