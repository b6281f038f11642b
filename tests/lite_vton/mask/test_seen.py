"""What is seen makes the mask exact: less background goes, hands and hair stay, the old garment does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.mask.seen import SeenMask, Sight, seen_mask
from lite_vton.person.keypoints import Joint, Keypoints, body_unit
from lite_vton.person.parse_labels import GARMENT, Part
from lite_vton.photo.crop import Crop

pytestmark = pytest.mark.slow

NO_HANDS = np.full((2, 4, 2), np.nan)


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    drawn = [draw_pair(5, index) for index in range(24)]
    return [pair for pair in drawn if pair.category == "upper"][:12]


def covered(pair: Pair) -> np.ndarray:
    return agnostic_mask(pair.keypoints, *pair.parse.shape)


def seen(pair: Pair, hands: np.ndarray = NO_HANDS) -> SeenMask:
    sight = Sight((pair.parse > 0).astype(np.float32), hands)
    return seen_mask(covered(pair), pair.person, sight, pair.keypoints)


@pytest.mark.slow
def test_nearly_all_of_the_old_garment_goes(pairs: list[Pair]) -> None:
    shares = []
    for pair in pairs:
        garment = np.isin(pair.parse, GARMENT)
        shares.append((seen(pair).mask[garment] > 0).mean())
    assert np.mean(shares) > 0.97
    assert min(shares) > 0.9


def test_background_away_from_the_person_stays(pairs: list[Pair]) -> None:
    import cv2

    far_before = 0
    for pair in pairs:
        unit = body_unit(pair.keypoints.completed().points.astype(np.float64))
        away = cv2.distanceTransform((pair.parse == 0).astype(np.uint8), cv2.DIST_L2, 5) > 0.1 * unit + 3
        far_before += int(covered(pair)[away].sum())
        assert not seen(pair).mask[away].any()
    assert far_before > 100, "keypoints alone repaint none of it either: this test shows nothing"


def test_long_hair_stays_where_it_does_not_look_like_the_garment(pairs: list[Pair]) -> None:
    import cv2

    kept, lost = 0.0, 0.0
    for pair in pairs:
        garment = np.isin(pair.parse, GARMENT).astype(np.uint8)
        # Beside the garment a photo shows both.
        away = cv2.dilate(garment, np.ones((7, 7), np.uint8)) == 0
        hair = (pair.parse == Part.HAIR) & (covered(pair) > 0) & away
        lost += float(hair.sum())
        kept += float((seen(pair).mask[hair] == 0).sum())
    assert lost > 200, "no drawn hair falls into the mask: this test shows nothing"
    assert kept > 0.6 * lost


def test_a_shade_along_the_collar_is_no_hair_though_it_has_its_colour(pairs: list[Pair]) -> None:
    import cv2

    repainted = []
    for pair in pairs:
        hair, skin = pair.parse == Part.HAIR, np.isin(pair.parse, (Part.FACE, Part.TORSO_SKIN))
        beside = cv2.dilate(skin.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        collar = beside & np.isin(pair.parse, GARMENT)
        # Under the chin it meets what is dark beside the face.
        neck = beside & skin & ~hair & (covered(pair) > 0) & (cv2.erode(skin.astype(np.uint8), np.ones((3, 3))) == 0)
        shaded = collar | neck
        if not hair.any() or collar.sum() < 10:
            continue
        picture = pair.person.copy()
        picture[shaded] = np.median(picture[hair], axis=0)
        sight = Sight((pair.parse > 0).astype(np.float32), NO_HANDS)
        found = seen_mask(covered(pair), picture, sight, pair.keypoints)
        repainted.append(float(found.mask[collar].mean()))
    assert len(repainted) > 3
    assert np.mean(np.array(repainted) > 0.9) > 0.8  # hair may fall over a collar


@pytest.mark.slow
def test_a_collar_of_another_colour_goes_too(pairs: list[Pair]) -> None:
    repainted, left = [], []
    for pair in pairs:
        points = pair.keypoints.completed().points.astype(np.float64)
        nose, neck = points[Joint.NOSE], points[Joint.NECK]
        rows, columns = np.mgrid[: pair.parse.shape[0], : pair.parse.shape[1]]
        share = (rows - nose[1]) / (neck[1] - nose[1])
        skin = (pair.parse == Part.TORSO_SKIN) & (np.abs(columns - neck[0]) < 0.3 * body_unit(points))
        collar = skin & (share > 0.7) & (share < 0.95)
        if collar.sum() < 20:
            continue
        picture = pair.person.copy()
        picture[collar] = (0, 190, 190)
        sight = Sight((pair.parse > 0).astype(np.float32), NO_HANDS)
        narrow = covered(pair)
        narrow[share < 0.85] = 0  # a keypoint mask whose neckline ends below the collar's upper edge
        for shown, found in ((picture, repainted), (pair.person, left)):
            found.append(float(seen_mask(narrow, shown, sight, pair.keypoints).mask[collar & (share < 0.85)].mean()))
    assert len(repainted) > 3
    assert np.mean(repainted) > 0.9
    assert np.mean(left) < 0.9 * np.mean(repainted)  # the margin of the mask below


def test_no_rim_of_the_old_garment_is_left_along_its_hem() -> None:
    keypoints = draw_pair(5, 0).keypoints
    points = keypoints.completed().points.astype(np.float64)
    neck, hips = points[Joint.NECK, 1], points[[Joint.R_HIP, Joint.L_HIP], 1].mean()
    border, hem = (round(neck + share * (hips - neck)) for share in (0.78, 0.95))
    picture = np.full((256, 192, 3), 235, np.uint8)
    body = slice(round(points[:, 0].min()), round(points[:, 0].max()))
    silhouette = np.zeros((256, 192), np.float32)
    silhouette[20:, body] = 1
    picture[20:border, body] = (170, 10, 110)
    picture[border:hem, body] = (200, 10, 10)  # a colour that the rest of the garment has not
    picture[hem : hem + 3, body] = (206, 178, 168)  # as a photo mixes it with that of the trousers
    picture[hem + 3 :, body] = (207, 198, 188)
    found = seen_mask(np.ones((256, 192), np.float32), picture, Sight(silhouette, NO_HANDS), keypoints)
    assert found.mask[hem : hem + 3, body].all()
    assert found.mask[hem + 20 :, body].mean() < 0.1  # but for the margin beside the body


def test_a_hand_before_the_body_stays_and_one_in_a_pocket_is_no_hand() -> None:
    skin, cloth = (224, 172, 140), (30, 60, 160)
    picture = np.full((256, 192, 3), 235, np.uint8)
    silhouette = np.zeros((256, 192), np.float32)
    keypoints = draw_pair(5, 0).keypoints
    points = np.array(keypoints.completed().points)
    middle = points[[Joint.R_SHOULDER, Joint.L_SHOULDER, Joint.R_HIP, Joint.L_HIP]].mean(axis=0)
    left, right = round(points[:, 0].min()) - 10, round(points[:, 0].max()) + 10
    silhouette[20:, max(0, left) : right] = 1
    picture[silhouette > 0] = cloth
    nose = points[Joint.NOSE].astype(int)
    picture[nose[1] - 20 : nose[1] + 20, nose[0] - 16 : nose[0] + 16] = skin
    wrist = middle - np.array([0, 12])
    points[Joint.R_WRIST] = wrist
    shown = Keypoints(points.astype(np.float32), np.ones(18, np.float32))
    hands = NO_HANDS.copy()
    hands[0] = wrist + np.array([(0, 0), (-6, 8), (0, 14), (6, 10)])
    below = (slice(round(wrist[1] + 4), round(wrist[1] + 14)), slice(round(wrist[0]) - 3, round(wrist[0]) + 3))
    wide = np.ones((256, 192), np.float32)
    pocketed = seen_mask(wide, picture, Sight(silhouette, hands), shown)
    assert pocketed.mask[below].all()
    picture[round(wrist[1]) - 2 : round(wrist[1]) + 18, round(wrist[0]) - 8 : round(wrist[0]) + 8] = skin
    held_up = seen_mask(wide, picture, Sight(silhouette, hands), shown)
    assert not held_up.mask[below].any()
    assert held_up.spared[below].all()


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.booleans())
def test_any_picture_gives_a_mask_of_its_size(seed: int, share: float, hands: bool) -> None:
    draw = np.random.default_rng(seed)
    pair = draw_pair(5, 0)
    picture = draw.integers(0, 256, (256, 192, 3), dtype=np.uint8)
    silhouette = (draw.random((256, 192)) < share).astype(np.float32)
    where = draw.uniform(-50, 300, (2, 4, 2)) if hands else NO_HANDS
    needed = np.isin(np.arange(18), (1, 2, 5, 8, 11))
    confidence = np.where(needed | (draw.random(18) < 0.8), 1, 0).astype(np.float32)
    keypoints = Keypoints(pair.keypoints.points, confidence)
    result = seen_mask(covered(pair), picture, Sight(silhouette, where), keypoints)
    assert result.mask.shape == result.spared.shape == (256, 192)
    assert set(np.unique(result.mask)) <= {0.0, 1.0}
    assert not (result.spared & (result.mask > 0)).any()


def test_a_sight_moves_with_its_crop() -> None:
    silhouette = np.zeros((40, 60), np.float32)
    silhouette[10:30, 20:40] = 1
    hands = NO_HANDS.copy()
    hands[0] = [(20, 10), (30, 10), (20, 20), (40, 30)]
    moved = Sight(silhouette, hands).moved(Crop(20, 10, 20, 20), 80, 40)
    assert moved.silhouette.shape == (80, 40)
    assert moved.silhouette.all()
    np.testing.assert_allclose(moved.hands[0], [(0, 0), (20, 0), (0, 40), (40, 80)])
