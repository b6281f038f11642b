"""Trousers, shorts and skirts onto people: where things land."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.errors import UserError
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.warp.garment import warp_garment
from tests.lite_vton.garment.flat_lowers import STANDING, skirt, standing, trousers

QUICK = settings(max_examples=25, deadline=None)
KNEE, ANKLE, HIP = 262, 334, 182


def worn(flat: tuple[np.ndarray, np.ndarray], keypoints: Keypoints) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (400, 192, 3) and what is covered."""
    pixels, cover = warp_garment(*flat, keypoints, 400, 192, "lower")
    return pixels.astype(int), cover > 0.5


def lowest(covered: np.ndarray) -> int:
    return int(np.nonzero(covered)[0].max())


def moved(**points: tuple[float, float]) -> Keypoints:
    changed = STANDING.copy()
    for name, point in points.items():
        changed[Joint[name]] = point
    return Keypoints(changed, np.ones(18, np.float32))


@pytest.mark.slow
def test_long_trousers_reach_the_ankles_and_shorts_stay_above_the_knee() -> None:
    ends = {leg: lowest(worn(trousers(leg), standing())[1]) for leg in (40, 70, 200, 300, 380)}
    assert HIP + 25 < ends[40] < ends[70] < KNEE - 5
    assert KNEE < ends[200] < ANKLE - 15
    assert ends[300] == pytest.approx(ANKLE, abs=8)
    assert ends[380] == pytest.approx(ANKLE, abs=8)


def test_trousers_leave_a_gap_between_legs_apart_and_a_skirt_does_not() -> None:
    apart = moved(R_KNEE=(66, 262), R_ANKLE=(60, 334), L_KNEE=(126, 262), L_ANKLE=(132, 334))
    for flat, filled in ((trousers(300), False), (skirt(330, 90), True)):
        covered = worn(flat, apart)[1]
        assert covered[200, 96]
        assert covered[300, 96] == filled
        assert covered[300, 63]
        assert covered[300, 129]


def test_it_begins_at_the_waist_and_covers_the_hips() -> None:
    for flat in (trousers(300), trousers(50), skirt(200, 90)):
        covered = worn(flat, standing())[1]
        first = int(np.nonzero(covered)[0].min())
        assert HIP - 0.3 * 98 < first < HIP - 0.05 * 98
        assert covered[HIP, 76:117].all()


def test_each_leg_wears_its_own_trouser_leg_however_it_is_bent() -> None:
    kicking = moved(R_KNEE=(30, 220), R_ANKLE=(10, 290))
    pixels, covered = worn(trousers(380), kicking)
    assert covered[220, 30]
    assert covered[275, 15]
    assert not covered[300, 74]
    assert pixels[220, 30, 0] < 128 < pixels[262, 118, 0]
    # The colour tells how far down the flat leg a place lies.
    down = [pixels[y, x, 1] for x, y in ((52, 201), (30, 220), (20, 255), (14, 278))]
    assert down == sorted(down)
    assert down[0] < down[-1] - 60


@pytest.mark.parametrize("flat", [trousers(60), trousers(300), trousers(300, hem=120), skirt(200, 90), skirt(300, 180)])
def test_nothing_folds_on_someone_standing(flat: tuple[np.ndarray, np.ndarray]) -> None:
    pixels, covered = worn(flat, standing())
    inner = (
        covered & np.roll(covered, 3, 0) & np.roll(covered, -3, 0) & np.roll(covered, 3, 1) & np.roll(covered, -3, 1)
    )
    right = np.diff(pixels[..., 0], axis=1)[inner[:, 1:] & inner[:, :-1]]
    down = np.diff(pixels[..., 1], axis=0)[inner[1:] & inner[:-1]]
    # Colours are whole numbers, and a middle seam may be a step back of one.
    assert np.mean(right < -1) < 0.002
    assert np.mean(down < -1) < 0.002
    assert right.mean() > 0.5
    assert down.mean() > 0.3


@pytest.mark.slow
def test_a_longer_skirt_reaches_further_and_a_wider_one_stands_off() -> None:
    ends = [lowest(worn(skirt(length, 90), standing())[1]) for length in (110, 180, 250, 320)]
    assert ends == sorted(ends)
    assert HIP < ends[0] < KNEE - 10
    assert ends[2] > KNEE
    assert ends[3] <= ANKLE + 4
    narrow, wide = (worn(skirt(250, hem), standing())[1] for hem in (85, 200))
    assert wide[270].sum() > 1.2 * narrow[270].sum()
    assert wide[165].sum() == pytest.approx(int(narrow[165].sum()), abs=4)


def test_of_crossed_legs_the_nearer_one_is_whole() -> None:
    crossed = moved(R_KNEE=(100, 262), R_ANKLE=(120, 334), L_KNEE=(92, 262), L_ANKLE=(70, 344))
    pixels, covered = worn(trousers(380), crossed)
    assert covered[262, 96]
    assert pixels[262, 96, 0] > 128  # the right half of the cloth: the leg whose foot is lower stands in front
    assert pixels[318, 79, 0] > 128
    assert pixels[318, 115, 0] < 128


def test_one_knee_is_enough_and_none_is_refused_in_one_line() -> None:
    both = worn(trousers(300), standing())[1]
    one = worn(trousers(300), standing(Joint.R_KNEE, Joint.R_ANKLE, Joint.L_ANKLE))[1]
    assert (one & both).sum() > 0.8 * both.sum()
    with pytest.raises(UserError, match="photo from the waist to below the knees") as caught:
        worn(trousers(300), standing(Joint.R_KNEE, Joint.L_KNEE))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("flat", [trousers(60), trousers(300), trousers(300, hem=120), skirt(200, 90), skirt(320, 190)])
def test_it_lies_inside_what_is_repainted(flat: tuple[np.ndarray, np.ndarray]) -> None:
    arms = (Joint.R_ELBOW, Joint.R_WRIST, Joint.L_ELBOW, Joint.L_WRIST)
    covered = worn(flat, standing(*arms))[1]
    repaint = agnostic_mask(standing(*arms), 400, 192, "lower") > 0
    assert (covered & repaint).sum() > 0.97 * covered.sum()


@QUICK
@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    spread=st.sampled_from([0.0, 3.0, 60.0, 1e4]),
    fill=st.floats(0, 1),
    parted=st.booleans(),
)
def test_whatever_the_garment_and_pose_the_result_is_a_picture(
    seed: int, size: tuple[int, int], spread: float, fill: float, parted: bool
) -> None:
    random = np.random.default_rng(seed)
    mask = (random.random(size) < fill).astype(np.float32)
    mask[size[0] // 2, size[1] // 2] = 1
    garment = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    if parted:
        garment, mask = trousers(20 + seed % 300, 5 + seed % 30)
    points = random.uniform(-spread, spread, (18, 2)).astype(np.float32)
    confidence = (random.random(18) < 0.8).astype(np.float32)
    confidence[[Joint.L_SHOULDER, Joint.R_HIP, Joint.L_KNEE]] = 1
    pixels, coverage = warp_garment(garment, mask, Keypoints(points, confidence), 40, 30, "lower")
    assert pixels.shape == (40, 30, 3)
    assert pixels.dtype == np.uint8
    assert np.isfinite(coverage).all()
    assert coverage.min() >= 0
    assert coverage.max() <= 1
    assert not pixels[coverage == 0].any()
