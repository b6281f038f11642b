"""Keypoints, masks and parses of another photo, size or orientation are refused in a line; right ones never are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.errors import UserError
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.parse_labels import Part
from lite_vton.tryon.given import Names, Witnesses, check_person, look

HEIGHT, WIDTH = 512, 384
QUICK = settings(max_examples=40, deadline=None)
Points = np.ndarray


@pytest.fixture(scope="module")
def pair() -> Pair:
    return draw_pair(5, 0, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def mask(pair: Pair) -> np.ndarray:
    return (agnostic_mask(pair.keypoints, HEIGHT, WIDTH) * 255).astype(np.uint8)


def moved(keypoints: Keypoints, change: Callable[[Points], Points]) -> Keypoints:
    return Keypoints(change(keypoints.points).astype(np.float32), keypoints.confidence)


SIZE = np.array([WIDTH, HEIGHT], np.float32)
WRONG: dict[str, tuple[Callable[[Points], Points], str]] = {
    "from 0 to 1": (
        lambda p: p / SIZE,
        r"in 0\.\.1, not in pixels of this 384x512 photo: multiply by wid",
    ),
    "from -1 to 1": (lambda p: 2 * p / SIZE - 1, r"in -1\.\.1, not in pixels"),
    "x and y swapped": (lambda p: p[:, ::-1], "x and y swapped"),
    "y from below": (lambda p: np.stack([p[:, 0], HEIGHT - p[:, 1]], axis=1), "upside down: count y from the top"),
    "four times as large": (lambda p: 4 * p, "outside the 384x512 photo, and within one 4 times as large"),
    "far away": (lambda p: p + 1000, "outside the 384x512 photo"),
    "all in one place": (lambda p: 0.01 * (p - p.mean(axis=0)) + 200, "within a few pixels of each other"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_keypoints_that_nobody_in_the_photo_can_have_are_refused_by_what_they_look_like(pair: Pair, wrong: str) -> None:
    change, says = WRONG[wrong]
    with pytest.raises(UserError, match=says) as caught:
        check_person(moved(pair.keypoints, change), HEIGHT, WIDTH, names=Names("their keypoints"))
    assert str(caught.value).startswith("their keypoints ")
    assert "\n" not in str(caught.value)


SCALES = ((2.0, "2 times as large"), (1.5, "1.5 times as large"), (0.5, "2 times smaller"), (0.25, "4 times smaller"))


@pytest.mark.parametrize(("scale", "says"), SCALES)
def test_keypoints_of_another_size_are_told_by_the_mask_and_by_who_is_seen(
    pair: Pair, mask: np.ndarray, scale: float, says: str
) -> None:
    other = moved(pair.keypoints, lambda p: scale * p)
    for witness in ({"mask": mask}, {"parse": pair.parse}, {"witnesses": Witnesses((pair.keypoints,), lambda: False)}):
        with pytest.raises(UserError, match=says):
            check_person(other, HEIGHT, WIDTH, **witness)  # type: ignore[arg-type]


def test_keypoints_of_another_person_are_refused_unless_a_closer_look_finds_somebody(pair: Pair) -> None:
    narrow = moved(pair.keypoints, lambda p: 0.3 * (p - p[1]) + [330, 60])
    with pytest.raises(UserError, match="beside everybody who is seen in this 384x512 photo"):
        check_person(narrow, HEIGHT, WIDTH, witnesses=Witnesses((pair.keypoints,), lambda: False))
    check_person(narrow, HEIGHT, WIDTH, witnesses=Witnesses((pair.keypoints,), lambda: True))
    check_person(narrow, HEIGHT, WIDTH, witnesses=Witnesses(()))


def test_a_photo_turned_upright_after_its_keypoints_were_found_is_told() -> None:
    pair = draw_pair(5, 1, HEIGHT, WIDTH)
    turned = moved(pair.keypoints, lambda p: np.stack([p[:, 1], WIDTH - p[:, 0]], axis=1))
    with pytest.raises(UserError, match=r"turned by 90 degrees|outside|beside everybody"):
        check_person(turned, HEIGHT, WIDTH, witnesses=Witnesses((pair.keypoints,), lambda: False))


WRONG_MASKS: dict[str, tuple[Callable[[np.ndarray, Pair], np.ndarray], str]] = {
    "inverted": (lambda m, _: 255 - m, "does not repaint the torso but what is around it: it looks inverted"),
    "upside down": (lambda m, _: m[::-1, ::-1], "looks upside down"),
    "all white": (lambda m, _: np.full_like(m, 255), "everything, it is all white"),
    "all black": (lambda m, _: np.zeros_like(m), "repaints nothing, it is empty, all black"),
    "0 and 1": (lambda m, _: m // 255, "repaints nothing, its brightest value is 1 of 255"),
    "agnostic picture": (
        lambda m, p: np.where(m > 0, 128, p.person.max(axis=2)).astype(np.uint8),
        "picture and no mas",
    ),
    "the photo": (lambda _, p: p.person.max(axis=2), "picture and no mask"),
    "elsewhere": (
        lambda m, _: np.where(np.indices(m.shape).max(axis=0) < 60, 255, 0).astype(np.uint8),
        "not repaint the torso",
    ),
    "half as large": (lambda m, _: m[::2, ::2], "the mask is 192x256 and the photo 384x512"),
    "lying": (lambda m, _: m.T, "512x384 and the photo 384x512: it looks turned by 90 degrees"),
}


@pytest.mark.parametrize("wrong", WRONG_MASKS)
def test_what_is_no_mask_of_this_person_is_refused_by_what_it_looks_like(
    pair: Pair, mask: np.ndarray, wrong: str
) -> None:
    change, says = WRONG_MASKS[wrong]
    with pytest.raises(UserError, match=says):
        check_person(pair.keypoints, HEIGHT, WIDTH, mask=change(mask, pair), witnesses=Witnesses((pair.keypoints,)))


def test_a_lower_garment_s_mask_has_to_cover_the_legs() -> None:
    pair = draw_pair(5, 6, HEIGHT, WIDTH)
    legs = (agnostic_mask(pair.keypoints, HEIGHT, WIDTH, "lower") * 255).astype(np.uint8)
    check_person(pair.keypoints, HEIGHT, WIDTH, "lower", mask=legs)
    with pytest.raises(UserError, match="does not repaint the lower body"):
        check_person(pair.keypoints, HEIGHT, WIDTH, "lower", mask=255 - legs)
    with pytest.raises(UserError, match="that of a garment of category 'lower': give one for 'upper'"):
        check_person(pair.keypoints, HEIGHT, WIDTH, "upper", mask=legs)


ATR = {Part.UPPER_CLOTHES: 4, Part.DRESS: 7, Part.SKIRT: 5, Part.TROUSERS: 6, Part.HAIR: 2, Part.FACE: 11}
WRONG_PARSES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "empty": (lambda p: np.zeros_like(p), "shows nobody"),
    "of another size": (lambda p: p[:100, :100], "the parse is 100x100 and the photo 384x512"),
    "upside down": (lambda p: np.ascontiguousarray(p[::-1, ::-1]), "upside down"),
    "in grey steps": (lambda p: p * 10, "labels up to [0-9]+: give LIP's labels, 0 to 19"),
    "another parser's": (
        lambda p: np.array([ATR.get(Part(k), 0) if k in set(Part) else 0 for k in range(20)], np.uint8)[p],
        "labels the torso 4, which is no upper body's label of LIP",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_PARSES)
def test_what_is_no_parse_of_this_person_is_refused_by_what_it_looks_like(pair: Pair, wrong: str) -> None:
    change, says = WRONG_PARSES[wrong]
    with pytest.raises(UserError, match=says):
        check_person(pair.keypoints, HEIGHT, WIDTH, parse=change(pair.parse), witnesses=Witnesses((pair.keypoints,)))


@pytest.mark.slow
@pytest.mark.parametrize("index", range(9))
def test_what_belongs_together_is_taken(index: int) -> None:
    height, width = ((HEIGHT, WIDTH), (256, 192), (128, 96))[index % 3]
    pair = draw_pair(7, index, height, width)
    category = "dress" if pair.category == "dress" else "upper"
    repaint = (agnostic_mask(pair.keypoints, height, width, category) * 255).astype(np.uint8)
    for mask in (repaint, None):
        check_person(pair.keypoints, height, width, parse=pair.parse, mask=mask)


@pytest.mark.slow
def test_mediapipe_is_a_witness_for_drawn_people() -> None:
    pytest.importorskip("mediapipe", reason="needs lite-vton[photos]")
    pair = draw_pair(5, 0, HEIGHT, WIDTH)
    check_person(pair.keypoints, HEIGHT, WIDTH, witnesses=look(pair.person, pair.keypoints))
    half = moved(pair.keypoints, lambda p: p / 2)
    with pytest.raises(UserError, match=r"about (2|1\.9|2\.1) times smaller"):
        check_person(half, HEIGHT, WIDTH, witnesses=look(pair.person, half))


def test_somebody_cut_by_the_frame_seated_or_turned_is_taken(pair: Pair) -> None:
    points = pair.keypoints.points
    low = Keypoints(points + np.float32([0, 0.35 * HEIGHT]), pair.keypoints.confidence)  # hips below the frame
    seated = points.copy()
    seated[[Joint.R_KNEE, Joint.L_KNEE], 1] = points[[Joint.R_HIP, Joint.L_HIP], 1] + 5
    turned = points.copy()
    turned[:, 0] = points[:, 0].mean() + 0.2 * (points[:, 0] - points[:, 0].mean())
    for keypoints in (low, Keypoints(seated, pair.keypoints.confidence), Keypoints(turned, pair.keypoints.confidence)):
        check_person(keypoints, HEIGHT, WIDTH)


@QUICK
@given(
    points=st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=18, max_size=18),
    seen=st.lists(st.booleans(), min_size=18, max_size=18),
    size=st.tuples(st.integers(64, 200), st.integers(64, 200)),
    seed=st.integers(0, 9),
)
def test_arbitrary_keypoints_masks_and_parses_are_taken_or_refused(
    points: list[tuple[float, float]], seen: list[bool], size: tuple[int, int], seed: int
) -> None:
    confidence = np.array(seen, np.float32)
    confidence[[Joint.R_SHOULDER, Joint.L_HIP]] = 1
    rng = np.random.default_rng(seed)
    keypoints = Keypoints(np.array(points, np.float32) * rng.choice([1e-6, 1e-4, 1]), confidence)
    mask = np.uint8(255) * (rng.random(size) < rng.choice([0.01, 0.5, 0.9])).astype(np.uint8)
    parse = rng.integers(0, 20, size).astype(np.uint8)
    for witness in ({"mask": mask}, {"parse": parse}, {"witnesses": Witnesses((keypoints, keypoints))}, {}):
        with suppress(UserError):
            check_person(keypoints, *size, **witness)  # type: ignore[arg-type]
