"""Garments that somebody wears, laid flat again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.errors import UserError
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.parse_labels import Part
from lite_vton.warp.garment import warp_garment
from lite_vton.worn.flat_lay import laid_flat, lay_flat

pytestmark = pytest.mark.slow

SIZE = 320, 240


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [draw_pair(11, index, *SIZE) for index in range(10)]


def silhouette(pair: Pair) -> np.ndarray:
    return (pair.parse > 0).astype(np.float32)


def own(pair: Pair) -> np.ndarray:
    return np.isin(pair.parse, (Part.DRESS, Part.UPPER_CLOTHES))


@pytest.mark.parametrize("known", [False, True])
def test_laid_flat_and_worn_again_it_is_the_same_garment(pairs: list[Pair], known: bool) -> None:
    overlaps, errors = [], []
    for pair in pairs:
        mask = own(pair).astype(np.float32) if known else None
        cut = lay_flat(pair.person, pair.keypoints, silhouette(pair), pair.category, mask)
        worn, cover = warp_garment(cut.pixels, cut.mask, pair.keypoints, *SIZE, pair.category)
        again = cover > 0.5
        both = again & own(pair)
        overlaps.append(both.sum() / (again | own(pair)).sum())
        other = np.median(pair.person[own(pair)], axis=0)
        errors.append(
            np.abs(worn[both].astype(float) - pair.person[both]).mean()
            / max(float(np.abs(other - [230, 200, 180]).mean()), 1.0)
        )
    assert np.median(overlaps) > 0.8
    assert min(overlaps) > 0.5
    assert np.median(errors) < 0.5


def displaced(pair: Pair, worn: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """(n,) pixels that what the garment shows has moved, where it shows enough to tell."""
    import cv2

    inner = cv2.erode(((cover > 0.9) & own(pair)).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    before, after = (
        cv2.cvtColor(np.where(inner[..., None], picture, np.uint8(128)), cv2.COLOR_RGB2GRAY)
        for picture in (pair.person, worn)
    )
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(before, after, np.zeros((*SIZE, 2), "f4"))
    edges = np.hypot(cv2.Sobel(before, cv2.CV_32F, 1, 0), cv2.Sobel(before, cv2.CV_32F, 0, 1)) > 60
    return np.linalg.norm(flow[inner & edges], axis=1)


def test_worn_again_by_the_same_person_it_lies_where_it_lay(pairs: list[Pair]) -> None:
    told, read = [], []
    for pair in pairs:
        cut = lay_flat(pair.person, pair.keypoints, silhouette(pair), pair.category, own(pair).astype(np.float32))
        for found, known in ((told, cut.cut), (read, None)):
            found.append(
                displaced(pair, *warp_garment(cut.pixels, cut.mask, pair.keypoints, *SIZE, pair.category, known))
            )
    assert np.median(np.concatenate(told)) < 1.0
    assert np.quantile(np.concatenate(told), 0.9) < np.quantile(np.concatenate(read), 0.9)


@pytest.mark.parametrize("index", [1, 7])
def test_its_cut_is_that_of_the_picture_it_is_drawn_in(pairs: list[Pair], index: int) -> None:
    pair = pairs[index]
    flat = lay_flat(pair.person, pair.keypoints, silhouette(pair), pair.category)
    assert flat.cut is not None
    inside = flat.mask > 0.5
    hem = float(flat.cut.row(np.array([flat.cut.hem]))[0])
    assert abs(hem - np.flatnonzero(inside[:, inside.shape[1] // 2])[-1]) < 3
    row = flat.cut.row(np.array([0.8 * flat.cut.hem]))
    left, right = (int(flat.cut.column(np.array([u]), row)[0]) for u in (-0.97, 0.97))
    assert inside[int(row[0]), left]
    assert inside[int(row[0]), right]
    for sleeve in flat.cut.sleeves:
        if sleeve is not None:
            x, y = (sleeve.start + 0.97 * (sleeve.end - sleeve.start)).astype(int)
            assert inside[y, x]


def down(pair: Pair) -> np.ndarray:
    """(H, W) v of each row: 0 beside the neck, 1 at the hips, as in `lite_vton.person.body` for somebody upright."""
    points = pair.keypoints.completed().points
    neck, hips = points[Joint.NECK, 1], points[[Joint.R_HIP, Joint.L_HIP], 1].mean()
    return np.tile((np.arange(SIZE[0])[:, None] + 0.5 - neck) / (hips - neck), (1, SIZE[1]))


def test_where_the_mask_is_given_it_ends_the_garment_whatever_the_colours(pairs: list[Pair]) -> None:
    pair = next(each for each in pairs if each.category == "upper")
    v = down(pair)
    legs = np.isin(pair.parse, (Part.TROUSERS, Part.SKIRT, Part.LEFT_LEG, Part.RIGHT_LEG))
    for end in (1.1, 1.25):
        coat = (own(pair) | (legs & (v < end))) & (v < end)
        flat = lay_flat(pair.person, pair.keypoints, silhouette(pair), "upper", coat.astype(np.float32))
        assert flat.cut is not None
        # v begins a little above the neck point.
        assert abs(flat.cut.hem - (end + 0.12) / 1.12) < 0.08


def test_a_coat_that_the_frame_cuts_reaches_to_the_frame(pairs: list[Pair]) -> None:
    pair = next(each for each in pairs if each.category == "upper")
    end = int(np.searchsorted(down(pair)[:, 0], 1.3))
    assert end < SIZE[0]
    coat = own(pair) | np.isin(pair.parse, (Part.TROUSERS, Part.SKIRT, Part.LEFT_LEG, Part.RIGHT_LEG))
    flat = lay_flat(pair.person[:end], pair.keypoints, silhouette(pair)[:end], "upper", coat[:end].astype(np.float32))
    assert flat.cut is not None
    assert abs(flat.cut.hem - (1.3 + 0.12) / 1.12) < 0.08


def test_what_an_arm_hides_is_filled_with_cloth() -> None:
    pair = draw_pair(11, 2, *SIZE)  # both arms before a dark dress
    assert lightness(pair.person, np.isin(pair.parse, (Part.LEFT_ARM, Part.RIGHT_ARM))) > 190
    assert lightness(pair.person, own(pair)) < 110
    cut = lay_flat(pair.person, pair.keypoints, silhouette(pair), pair.category)
    assert (cut.pixels[cut.mask > 0.9].mean(axis=1) > 170).mean() < 0.01


def test_what_is_filled_is_told_and_the_rest_is_the_photo_s() -> None:
    pair = draw_pair(11, 2, *SIZE)  # both arms before a dark dress
    mask = own(pair).astype(np.float32)
    whole = laid_flat(pair.person, pair.keypoints, silhouette(pair), pair.category, mask)
    band = mask.copy()
    band[170:190] = 0  # as if a belt hid it
    belted = laid_flat(pair.person, pair.keypoints, silhouette(pair), pair.category, band)
    garment = belted.cutout.mask > 0.9
    assert belted.hidden.shape == belted.cutout.mask.shape
    assert not belted.hidden[belted.cutout.mask < 0.1].any()
    rows = (belted.hidden & garment).sum(axis=1) / np.maximum(garment.sum(axis=1), 1)
    assert 0.02 < (rows > 0.6).mean() < 0.2, "a belt across"
    assert whole.hidden.mean() < belted.hidden.mean()


def test_laid_flat_with_its_holes_it_is_the_same_garment(pairs: list[Pair]) -> None:
    pair = pairs[0]
    cut = lay_flat(pair.person, pair.keypoints, silhouette(pair), pair.category)
    told = laid_flat(pair.person, pair.keypoints, silhouette(pair), pair.category)
    np.testing.assert_array_equal(told.cutout.pixels, cut.pixels)
    np.testing.assert_array_equal(told.cutout.mask, cut.mask)


def test_beside_a_bare_arm_cloth_on_the_other_is_no_sleeve() -> None:
    pair = draw_pair(11, 5, *SIZE)  # short sleeves
    skin = np.isin(pair.parse, (Part.LEFT_ARM, Part.RIGHT_ARM, Part.TORSO_SKIN)).astype(np.float32)
    left = pair.parse == Part.LEFT_ARM
    mask = (own(pair) | left).astype(np.float32)  # as where the arm runs before the body
    skin[left] = 0
    wide = []
    for bare_arm_tells in (False, True):
        flat = laid_flat(
            pair.person, pair.keypoints, silhouette(pair), pair.category, mask, skin, bare_arm_tells=bare_arm_tells
        )
        wide.append(int((flat.cutout.mask > 0.5).any(axis=0).sum()))
    assert wide[0] > 1.3 * wide[1]


def lightness(picture: np.ndarray, where: np.ndarray) -> float:
    return float(np.median(picture[where].mean(axis=1)))


def test_sleeves_are_laid_as_long_as_they_are_worn() -> None:
    long = draw_pair(11, 7, *SIZE)
    short = draw_pair(11, 5, *SIZE)
    spans = []
    for pair in (long, short):
        cut = lay_flat(pair.person, pair.keypoints, silhouette(pair), pair.category)
        wide = (cut.mask > 0.5).any(axis=0).sum()
        body = (cut.mask > 0.5)[: cut.mask.shape[0]].sum(axis=1)
        spans.append(wide / np.median(body))
    assert spans[0] > spans[1]


def test_the_same_photo_is_laid_the_same(pairs: list[Pair]) -> None:
    one, two = (lay_flat(pairs[0].person, pairs[0].keypoints, silhouette(pairs[0])) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.mask, two.mask)


def test_parts_of_another_size_are_a_user_error(pairs: list[Pair]) -> None:
    pair = pairs[0]
    with pytest.raises(UserError, match="silhouette"):
        lay_flat(pair.person, pair.keypoints, np.ones((10, 10), np.float32))
    with pytest.raises(UserError, match="mask"):
        lay_flat(pair.person, pair.keypoints, silhouette(pair), mask=np.ones((10, 10), np.float32))


def test_somebody_too_small_is_a_user_error() -> None:
    pair = draw_pair(11, 0, 64, 48)
    with pytest.raises(UserError, match="too small"):
        lay_flat(pair.person, pair.keypoints, silhouette(pair))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(*[st.floats(-300, 600, width=32)] * 2), min_size=18, max_size=18),
    st.integers(0, 2**18 - 1),
    st.sampled_from(["upper", "dress"]),
)
def test_any_pose_gives_a_flat_lay_or_says_why_not(
    pairs: list[Pair], points: list[tuple[float, float]], seen: int, category: str
) -> None:
    confidence = np.array([1.0 if seen >> k & 1 else 0.0 for k in range(18)], np.float32)
    keypoints = Keypoints(np.array(points, np.float32), confidence)
    try:
        cut = lay_flat(pairs[0].person, keypoints, silhouette(pairs[0]), category)
    except UserError:
        return
    assert cut.mask.shape == cut.pixels.shape[:2]
    assert np.isfinite(cut.mask).all()
    assert (cut.mask > 0.5).any()
