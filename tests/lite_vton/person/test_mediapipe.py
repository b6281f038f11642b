"""People in photos, found by MediaPipe: where their joints are, what they cover, and what makes a photo unusable."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.errors import UserError
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.mediapipe import Person, check_usable, choose_person, find_people

pytest.importorskip("mediapipe", reason="needs lite-vton[photos]")

HEIGHT, WIDTH = 512, 384


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [draw_pair(5, index, HEIGHT, WIDTH) for index in range(4)]


@pytest.fixture(scope="module")
def found(pairs: list[Pair]) -> list[Person]:
    return [choose_person(find_people(pair.person)) for pair in pairs]


@pytest.mark.slow
def test_joints_and_silhouette_are_where_they_were_drawn(pairs: list[Pair], found: list[Person]) -> None:
    for pair, person in zip(pairs, found, strict=True):
        both = person.keypoints.visible & pair.keypoints.visible
        assert both.sum() >= 10
        apart = np.linalg.norm(person.keypoints.points - pair.keypoints.points, axis=1)[both]
        assert np.median(apart) < 0.03 * HEIGHT
        seen, drawn = person.silhouette > 0.5, pair.parse > 0
        assert person.silhouette.shape == (HEIGHT, WIDTH)
        assert (seen & drawn).sum() > 0.93 * (seen | drawn).sum()
        check_usable(person.keypoints, HEIGHT, WIDTH)


def test_a_hand_begins_at_its_wrist(found: list[Person]) -> None:
    hands = 0
    for person in found:
        for hand, wrist in zip(person.hands, (Joint.R_WRIST, Joint.L_WRIST), strict=True):
            if not np.isnan(hand).any() and person.keypoints.sees(wrist):
                np.testing.assert_allclose(hand[0], person.keypoints.points[wrist], atol=0.01)
                hands += 1
    assert hands >= 2


def test_of_two_people_the_largest_comes_first_and_each_can_be_chosen(pairs: list[Pair]) -> None:
    import cv2

    small = cv2.resize(pairs[1].person, (240, 320), interpolation=cv2.INTER_AREA)
    both = np.full((HEIGHT, WIDTH + 300, 3), small[0, 0], np.uint8)
    both[:, :WIDTH] = pairs[0].person
    both[-320:, WIDTH + 30 : WIDTH + 270] = small
    people = find_people(both)
    assert len(people) == 2
    first, second = (choose_person(people, index).keypoints.points[Joint.NECK, 0] for index in (0, 1))
    assert first < WIDTH < second
    assert choose_person(people) is people[0]
    with pytest.raises(UserError, match="2 found in the photo: no person 2"):
        choose_person(people, 2)


@pytest.mark.parametrize("fill", [0, 128, 255])
def test_nobody_is_found_where_there_is_nobody(fill: int) -> None:
    people = find_people(np.full((300, 200, 3), fill, np.uint8))
    assert people == []
    with pytest.raises(UserError, match="nobody is found"):
        choose_person(people)


@pytest.mark.slow
def test_finding_people_prints_nothing() -> None:
    code = (
        "from lite_vton.data.drawn.pair import draw_pair\nfrom lite_vton.person.mediapipe import find_people\n"
        "assert find_people(draw_pair(5, 0).person)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def standing() -> Keypoints:
    person = draw_pair(5, 0, HEIGHT, WIDTH).keypoints.completed()
    return Keypoints(person.points.copy(), np.ones(18, np.float32))


def unseen(keypoints: Keypoints, *joints: Joint) -> Keypoints:
    confidence = keypoints.confidence.copy()
    confidence[list(joints)] = 0
    return Keypoints(keypoints.points, confidence)


def mirrored(keypoints: Keypoints) -> Keypoints:
    return Keypoints(keypoints.points * [-1, 1] + [WIDTH, 0], keypoints.confidence)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda k: unseen(k, Joint.R_SHOULDER, Joint.L_SHOULDER), "shoulders are hidden"),
        (lambda k: unseen(k, Joint.R_HIP, Joint.L_HIP), "hips"),
        (mirrored, "back is turned"),
        (lambda k: Keypoints(k.points * np.float32(0.1), k.confidence), "too small"),
        (lambda k: Keypoints(k.points - np.float32([0, 400]), k.confidence), "shoulders lie outside"),
    ],
)
def test_what_is_wrong_with_a_photo_is_said(spoil: object, said: str) -> None:
    assert callable(spoil)
    with pytest.raises(UserError, match=said):
        check_usable(spoil(standing()), HEIGHT, WIDTH)
    check_usable(standing(), HEIGHT, WIDTH)


@pytest.mark.slow
def test_somebody_small_in_a_wide_picture_is_found_where_they_are(pairs: list[Pair]) -> None:
    import cv2

    small = cv2.resize(pairs[0].person, (180, 240), interpolation=cv2.INTER_AREA)
    wide = np.full((1080, 1920, 3), 120, np.uint8)
    wide[-300:-60, 300:480] = small
    assert find_people(wide, closer=False) == []
    person = choose_person(find_people(wide))
    drawn = pairs[0].keypoints.points * (240 / HEIGHT) + np.array([300, 780])
    joints = [Joint.NECK, Joint.R_SHOULDER, Joint.L_SHOULDER, Joint.R_HIP, Joint.L_HIP]
    assert np.abs(person.keypoints.points - drawn)[joints].max() < 0.06 * 240
    assert person.silhouette[-300:-60, 300:480].sum() > 0.95 * person.silhouette.sum()
    check_usable(person.keypoints, 1080, 1920)
