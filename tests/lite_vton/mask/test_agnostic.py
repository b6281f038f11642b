"""What is repainted and what is spared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.errors import UserError
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.person.keypoints import Joint, Keypoints

QUICK = settings(max_examples=25, deadline=None)

STANDING = np.array([
    (96, 50), (96, 84), (60, 86), (52, 134), (46, 180), (132, 86), (140, 134), (146, 180), (76, 182),
    (76, 250), (76, 320), (116, 182), (116, 250), (116, 320), (88, 42), (104, 42), (78, 48), (114, 48),
], np.float32)  # fmt: skip


def standing(*missing: Joint) -> Keypoints:
    confidence = np.ones(18, np.float32)
    confidence[list(missing)] = 0
    return Keypoints(STANDING, confidence)


@QUICK
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(16, 90),
    width=st.integers(16, 90),
    spread=st.sampled_from([5.0, 80.0, 900.0, 1e6]),
    category=st.sampled_from(["upper", "dress", "lower"]),
)
def test_a_mask_is_binary_and_of_the_picture_whatever_the_pose(
    seed: int, height: int, width: int, spread: float, category: str
) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform(-spread, spread, (18, 2)).astype(np.float32)
    confidence = (random.random(18) < 0.7).astype(np.float32)
    confidence[[Joint.R_SHOULDER, Joint.L_HIP, Joint.R_KNEE]] = 1
    mask = agnostic_mask(Keypoints(points, confidence), height, width, category)
    assert mask.shape == (height, width)
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) <= {0.0, 1.0}


def test_torso_arms_and_neckline_are_repainted() -> None:
    mask = agnostic_mask(standing(), 256, 192)
    for joint in (1, 2, 3, 5, 6, 8, 11):
        x, y = STANDING[joint].astype(int)
        assert mask[y, x] == 1, Joint(joint).name
    assert mask[130, 96] == 1


def test_face_and_hands_are_spared() -> None:
    mask = agnostic_mask(standing(), 256, 192)
    for joint in (Joint.NOSE, Joint.R_EYE, Joint.L_EYE):
        x, y = STANDING[joint].astype(int)
        assert mask[y, x] == 0, joint.name
    assert mask[196, 44] == 0  # beyond the right wrist
    assert mask[196, 148] == 0


def test_legs_are_spared_except_under_a_dress() -> None:
    upper, dress = agnostic_mask(standing(), 340, 192), agnostic_mask(standing(), 340, 192, "dress")
    assert upper[245, 76] == 0
    assert dress[245, 76] == 1
    assert dress[310, 76] == 0
    assert np.all(dress[:170] == upper[:170])


def test_a_lower_mask_hides_wide_skirts_and_spares_torso_hands_and_shoes() -> None:
    mask = agnostic_mask(standing(), 400, 192, "lower")
    for joint in (Joint.R_HIP, Joint.L_HIP, Joint.R_KNEE, Joint.L_KNEE):
        x, y = STANDING[joint].astype(int)
        assert mask[y, x - 20 : x + 21].all(), joint.name
    assert mask[200:310, 96].all()
    assert not mask[:150].any()
    assert not mask[322:].any()
    assert not mask[188:196, 42:48].any()
    before_the_hips = STANDING.copy()
    before_the_hips[Joint.R_ELBOW], before_the_hips[Joint.R_WRIST] = (56, 160), (84, 186)
    spared = agnostic_mask(Keypoints(before_the_hips, np.ones(18, np.float32)), 400, 192, "lower")
    assert not spared[185:190, 84:95].any()


def test_legs_partly_out_of_the_picture_shorten_a_lower_mask_and_unseen_knees_refuse_it() -> None:
    part = agnostic_mask(standing(Joint.L_KNEE, Joint.R_ANKLE, Joint.L_ANKLE), 300, 192, "lower")
    assert part[200:290, 96].all()
    with pytest.raises(UserError, match="no knees"):
        agnostic_mask(standing(Joint.R_KNEE, Joint.L_KNEE), 300, 192, "lower")


def test_missing_arms_and_legs_only_shorten_it() -> None:
    whole = agnostic_mask(standing(), 340, 192)
    for missing in ([Joint.R_WRIST], [Joint.R_ELBOW, Joint.R_WRIST], [Joint.R_ELBOW]):
        part = agnostic_mask(standing(*missing), 340, 192)
        assert part.sum() < whole.sum()
        assert part[130, 96] == 1
    kneeless = agnostic_mask(standing(Joint.R_KNEE, Joint.L_KNEE), 340, 192, "dress")
    assert kneeless[240, 96] == 1


def test_it_grows_with_the_person() -> None:
    small = agnostic_mask(standing(), 256, 192).mean()
    large = agnostic_mask(Keypoints(STANDING * 3, np.ones(18, np.float32)), 768, 576).mean()
    assert large == pytest.approx(float(small), rel=0.02)


def test_an_unknown_category_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="upper, dress"):
        agnostic_mask(standing(), 64, 48, "hat")


def test_without_hips_there_is_no_mask() -> None:
    with pytest.raises(UserError, match="no hips"):
        agnostic_mask(standing(Joint.R_HIP, Joint.L_HIP), 64, 48)
