"""Garments onto people: the landmarks, where things land."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.errors import UserError
from lite_vton.garment.silhouette import find_landmarks
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.warp.garment import warp_garment

QUICK = settings(max_examples=25, deadline=None)

STANDING = np.array([
    (96, 50), (96, 84), (60, 86), (52, 134), (46, 180), (132, 86), (140, 134), (146, 180), (76, 182),
    (76, 250), (76, 320), (116, 182), (116, 250), (116, 320), (88, 42), (104, 42), (78, 48), (114, 48),
], np.float32)  # fmt: skip


ARMS = (Joint.R_ELBOW, Joint.R_WRIST, Joint.L_ELBOW, Joint.L_WRIST)


def standing(*missing: Joint) -> Keypoints:
    confidence = np.ones(18, np.float32)
    confidence[list(missing)] = 0
    return Keypoints(STANDING, confidence)


def top(sleeve: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat top: body red, left sleeve green, right sleeve blue; `sleeve` pixels long, slanting down."""
    import cv2

    pixels, mask = np.zeros((300, 400, 3), np.uint8), np.zeros((300, 400), np.float32)
    for sign, colour in ((-1, (0, 255, 0)), (1, (0, 0, 255))):
        if sleeve:
            x = 200 + sign * 70
            end = x + sign * round(0.8 * sleeve)
            corners = np.array(
                [(x, 40), (end, 40 + round(0.5 * sleeve)), (end - sign * 25, 85 + round(0.5 * sleeve)), (x, 100)]
            )
            cv2.fillPoly(pixels, [corners.astype(np.int32)], colour)
            cv2.fillPoly(mask, [corners.astype(np.int32)], (1.0,))
    pixels[40:280, 130:271] = (255, 0, 0)
    mask[40:280, 130:271] = 1
    return pixels, mask


def share(pixels: np.ndarray, mask: np.ndarray, channel: int) -> np.ndarray:
    return (mask > 0.5) & (pixels[..., channel] > 128)


@pytest.mark.parametrize("sleeve", [60, 150])
def test_landmarks_are_found_where_they_were_drawn(sleeve: int) -> None:
    _, mask = top(sleeve)
    marks = find_landmarks(mask)
    np.testing.assert_allclose(marks.hem, [[130, 279], [270, 279]], atol=6)
    np.testing.assert_allclose(marks.armpits[:, 0], [130, 270], atol=8)
    assert all(s is not None and s.length > 0.6 * sleeve for s in marks.sleeves)


def test_a_sleeveless_top_has_no_sleeves() -> None:
    assert find_landmarks(top(0)[1]).sleeves == (None, None)


@pytest.mark.parametrize("sleeve", [0, 60, 150])
def test_the_body_covers_the_torso_between_neck_and_hips(sleeve: int) -> None:
    pixels, mask = warp_garment(*top(sleeve), standing(), 256, 192)
    body = share(pixels, mask, 0)
    ys, xs = np.nonzero(body)
    assert body[100:170, 75:118].mean() > 0.95
    assert 66 < np.percentile(ys, 1) < 95
    assert 165 < np.percentile(ys, 99) < 220
    assert abs(np.median(xs) - 96) < 6


def test_sleeves_lie_along_their_own_arms_and_as_far_as_they_are_long() -> None:
    reach = {}
    for sleeve in (60, 150):
        pixels, mask = warp_garment(*top(sleeve), standing(), 256, 192)
        left, right = share(pixels, mask, 1), share(pixels, mask, 2)
        assert np.nonzero(left)[1].mean() < 70
        assert np.nonzero(right)[1].mean() > 122
        reach[sleeve] = np.nonzero(left)[0].max()
    assert 95 < reach[60] < 140  # on the upper arm
    assert 165 < reach[150] < 195  # at the wrist


def test_a_raised_forearm_takes_the_sleeve_with_it() -> None:
    points = STANDING.copy()
    points[Joint.R_ELBOW], points[Joint.R_WRIST] = (20, 110), (10, 60)
    pixels, mask = warp_garment(*top(150), Keypoints(points, np.ones(18, np.float32)), 256, 192)
    assert share(pixels, mask, 1)[60:100, 0:30].any()
    assert not share(pixels, mask, 1)[150:].any()


def test_a_dress_reaches_further_down() -> None:
    upper = warp_garment(*top(60), standing(), 340, 192)[1]
    dress = warp_garment(*top(60), standing(), 340, 192, "dress")[1]
    assert np.nonzero(dress)[0].max() > np.nonzero(upper)[0].max() + 20


def taller(factor: float) -> Keypoints:
    """`standing` with a longer torso, arms and legs along."""
    points = STANDING.copy()
    points[:, 1] = 84 + (points[:, 1] - 84) * factor
    return Keypoints(points, np.ones(18, np.float32))


def marked(x: int, y: int, reach: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """A short-sleeved top with one white square."""
    pixels, mask = top(60)
    pixels[y - reach : y + reach, x - reach : x + reach] = 255
    return pixels, mask


def middle(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """x, y of the middle of what is white."""
    ys, xs = np.nonzero((mask > 0.5) & (pixels.min(axis=2) > 128))
    return np.array([xs.mean(), ys.mean()])


@pytest.mark.parametrize("y", [110, 160, 210])
def test_a_print_and_the_hem_keep_their_place_on_a_taller_torso(y: int) -> None:
    shares, hems = [], []
    for factor in (1.0, 1.3):
        pixels, mask = warp_garment(*marked(200, y), taller(factor), 340, 192)
        shares.append((middle(pixels, mask)[1] - 84) / (98 * factor))
        hems.append((np.nonzero(share(pixels, mask, 0))[0].max() - 84) / (98 * factor))
    assert shares[0] == pytest.approx(shares[1], abs=0.02)
    assert hems[0] == pytest.approx(hems[1], abs=0.02)


def test_a_sleeve_covers_the_same_share_of_a_longer_arm() -> None:
    ends = []
    for factor in (1.0, 1.3):
        pixels, mask = warp_garment(*top(60), taller(factor), 340, 192)
        ends.append((np.nonzero(share(pixels, mask, 1))[0].max() - 84) / factor)
    assert ends[0] == pytest.approx(ends[1], abs=3)


def test_a_garment_of_twice_the_length_for_its_width_reaches_twice_as_far() -> None:
    ends = {}
    for length in (1.5, 2.0):
        mask = np.zeros((400, 160), np.float32)
        mask[20 : 20 + round(length * 113 / 38 * 50), 30:130] = 1
        pixels = np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2)
        cover = warp_garment(pixels, mask, standing(), 400, 192, "dress")[1]
        ends[length] = (np.nonzero(cover[:, 96] > 0.5)[0].max() - 84) / 98 + 0.12
    assert ends[2.0] - ends[1.5] == pytest.approx(0.56, abs=0.06)


def test_a_hem_wider_than_the_chest_stands_off_the_body() -> None:
    widths = []
    for flare in (0, 25):
        pixels, mask = top(60)
        for y in range(120, 280):
            out = round(flare * (y - 120) / 160)
            pixels[y, 130 - out : 271 + out], mask[y, 130 - out : 271 + out] = (255, 0, 0), 1
        body = share(*warp_garment(pixels, mask, standing(*ARMS), 256, 192), 0)
        widths.append(np.ptp(np.nonzero(body[172])[0]))
    assert widths[1] > 1.1 * widths[0]


def test_cloth_goes_around_the_body() -> None:
    at = [middle(*warp_garment(*marked(200 + shift, 180, 5), standing(), 256, 192))[0] for shift in (0, 25, 50)]
    assert at[1] - at[0] > 1.15 * (at[2] - at[1])


def test_the_middle_of_a_turned_torso_moves_the_way_the_nose_points() -> None:
    at = []
    for nose in (-4, 0, 4):
        points = STANDING.copy()
        points[Joint.NOSE, 0] += nose
        at.append(middle(*warp_garment(*marked(200, 160, 6), Keypoints(points, np.ones(18, np.float32)), 256, 192))[0])
    assert at[0] < at[1] - 1
    assert at[1] + 1 < at[2]


def test_a_bare_arm_before_the_body_is_left_out_and_a_sleeved_one_covers_it() -> None:
    points = STANDING.copy()
    points[Joint.R_ELBOW], points[Joint.R_WRIST] = (56, 140), (104, 140)
    across = Keypoints(points, np.ones(18, np.float32))
    cover = warp_garment(*top(60), across, 256, 192)[1]
    assert cover[136:144, 80:100].max() < 0.05
    assert cover[115:122, 80:100].min() > 0.95
    assert cover[158:165, 80:100].min() > 0.95
    assert share(*warp_garment(*top(150), across, 256, 192), 1)[138:142, 75:90].all()


def test_what_shows_of_the_back_inside_the_neck_is_left_out() -> None:
    import cv2

    pixels, mask = top(60)
    whole = warp_garment(pixels, mask, standing(), 256, 192)[1]
    cv2.circle(pixels, (200, 40), 32, (130, 0, 0), -1)
    pixels[:40] = 0
    open_neck = warp_garment(pixels, mask, standing(), 256, 192)[1]
    gone = (whole > 0.5) & (open_neck < 0.5)
    ys, xs = np.nonzero(gone)
    assert gone.sum() > 100
    assert xs.mean() == pytest.approx(96, abs=3)
    assert ys.max() < 100


def test_a_print_below_the_neck_is_no_neckline() -> None:
    pixels, mask = top(60)
    pixels[70:110, 170:230] = (90, 0, 0)
    before = warp_garment(*top(60), standing(), 256, 192)[1]
    np.testing.assert_array_equal(warp_garment(pixels, mask, standing(), 256, 192)[1], before)


@QUICK
@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    spread=st.sampled_from([0.0, 3.0, 60.0, 1e4]),
    fill=st.floats(0, 1),
)
def test_whatever_the_garment_and_pose_the_result_is_a_picture(
    seed: int, size: tuple[int, int], spread: float, fill: float
) -> None:
    random = np.random.default_rng(seed)
    mask = (random.random(size) < fill).astype(np.float32)
    mask[size[0] // 2, size[1] // 2] = 1
    garment = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    points = random.uniform(-spread, spread, (18, 2)).astype(np.float32)
    confidence = (random.random(18) < 0.8).astype(np.float32)
    confidence[[Joint.L_SHOULDER, Joint.R_HIP]] = 1
    pixels, coverage = warp_garment(garment, mask, Keypoints(points, confidence), 40, 30)
    assert pixels.shape == (40, 30, 3)
    assert pixels.dtype == np.uint8
    assert np.isfinite(coverage).all()
    assert coverage.min() >= 0
    assert coverage.max() <= 1
    assert not pixels[coverage == 0].any()


@pytest.mark.slow
def test_it_is_quick_enough_for_every_training_pair() -> None:
    garment, mask = top(150)
    numbers = np.random.default_rng(0).random(300_000)

    def least(run: Callable[[], object]) -> float:
        spent = []
        for _ in range(7):
            begin = time.process_time()
            run()
            spent.append(time.process_time() - begin)
        return min(spent)

    # Measured: 2.7 times as long as sorting so many numbers, on whatever machine.
    assert least(lambda: warp_garment(garment, mask, standing(), 256, 192)) < 10 * least(lambda: np.sort(numbers))


def test_unusable_garments_are_user_errors() -> None:
    garment, mask = top(60)
    with pytest.raises(UserError, match="empty"):
        warp_garment(garment, 0 * mask, standing(), 64, 48)
    with pytest.raises(UserError, match="one size"):
        warp_garment(garment, mask[:50], standing(), 64, 48)
    with pytest.raises(UserError, match="upper, dress"):
        warp_garment(garment, mask, standing(), 64, 48, "sock")
