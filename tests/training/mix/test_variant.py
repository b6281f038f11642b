"""What the mix makes of a photo: the truth stays a photo of the garment, and no two ways to it are alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.category import Category
from lite_vton.data.drawn.pair import draw_pair
from lite_vton.garment.cutout import Cutout
from lite_vton.person.keypoints import Joint
from lite_vton.person.parse_labels import Part
from lite_vton.warp.garment import warp_garment
from lite_vton.worn.flat_lay import lay_flat
from lite_vton_training.mix.colours import another_background, another_light, recoloured, without_shading
from lite_vton_training.mix.places import bent, cut_unknown, misplaced, partly_hidden, wider_mask
from lite_vton_training.mix.variant import AS_WORN, CHANGES, variant
from lite_vton_training.mix.worn import Worn, framed, mirrored

HEIGHT, WIDTH = 128, 96


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def worn() -> Worn:
    pair = draw_pair(3, 1, 160, 120)
    cutout = Cutout(pair.cloth, pair.cloth_mask.astype(np.float32) / 255)
    return Worn(pair.person, pair.parse, pair.keypoints, cutout, "dress" if pair.category == "dress" else "upper")


@pytest.mark.slow
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_variant_shows_the_person_outside_the_mask_and_hides_them_inside(worn: Worn, seed: int) -> None:
    made = variant(worn, rng(seed), HEIGHT, WIDTH)
    assert made.person.shape == made.masked_person.shape == made.pose.shape == (1, 3, HEIGHT, WIDTH)
    outside = np.broadcast_to(made.mask == 0, made.person.shape)
    assert np.array_equal(made.person[outside], made.masked_person[outside])
    assert 0.02 < made.mask.mean() < 0.9
    assert np.isfinite(made.masked_person).all()
    assert np.abs(made.masked_person).max() <= 1


def test_the_same_seed_gives_the_same_variant_and_another_another(worn: Worn) -> None:
    one, same, other = (variant(worn, rng(seed), HEIGHT, WIDTH) for seed in (1, 1, 2))
    assert all(np.array_equal(getattr(one, name), getattr(same, name)) for name in ("person", "mask", "masked_person"))
    assert not np.array_equal(one.person, other.person)


def test_a_mirror_changes_left_and_right_and_twice_nothing(worn: Worn) -> None:
    seen = mirrored(worn)
    assert np.array_equal(seen.picture, worn.picture[:, ::-1])
    right, left = seen.keypoints.points[Joint.R_SHOULDER], seen.keypoints.points[Joint.L_SHOULDER]
    assert right[0] < left[0]  # the person still faces the camera
    assert np.array_equal(seen.parse == Part.LEFT_ARM, (worn.parse == Part.RIGHT_ARM)[:, ::-1])
    again = mirrored(seen)
    assert np.array_equal(again.parse, worn.parse)
    np.testing.assert_allclose(again.keypoints.points, worn.keypoints.points, atol=1e-3)


@pytest.fixture(scope="module")
def laid() -> Worn:
    """Large enough to be laid flat."""
    pair = draw_pair(3, 1, 320, 240)
    category: Category = "dress" if pair.category == "dress" else "upper"
    flat = lay_flat(pair.person, pair.keypoints, (pair.parse > 0).astype(np.float32), category)
    return Worn(pair.person, pair.parse, pair.keypoints, flat, category)


@pytest.mark.slow
def test_in_a_mirror_a_garment_of_known_cut_is_laid_on_as_before(laid: Worn) -> None:
    (one, cover), (other, other_cover) = (
        warp_garment(each.garment.pixels, each.garment.mask, each.keypoints, 320, 240, each.category, each.garment.cut)
        for each in (laid, mirrored(laid))
    )
    assert np.abs(cover[:, ::-1] - other_cover).mean() < 0.01
    both = (cover[:, ::-1] > 0.9) & (other_cover > 0.9)
    assert np.abs(one[:, ::-1].astype(int) - other)[both].mean() < 3


def test_what_bends_a_garment_forgets_its_cut_and_what_colours_it_does_not(laid: Worn) -> None:
    assert laid.garment.cut is not None
    for changed in (cut_unknown(laid), bent(laid, rng(3))):
        assert changed.garment.cut is None
    lit = another_light(laid, rng(3), also_garment=True)
    for kept in (recoloured(laid, rng(3)), without_shading(laid, rng(3)), lit):
        assert kept.garment.cut is laid.garment.cut


def test_framing_moves_picture_parse_and_joints_together(worn: Worn) -> None:
    seen = framed(worn, rng(4), HEIGHT, WIDTH)
    face = np.argwhere(seen.parse == Part.FACE)
    nose = seen.keypoints.points[Joint.NOSE]
    assert seen.picture.shape == (HEIGHT, WIDTH, 3)
    assert np.linalg.norm(face.mean(axis=0)[::-1] - nose) < 0.06 * HEIGHT


def test_other_colours_are_the_garments_alone_and_alike_in_both_pictures(worn: Worn) -> None:
    seen = recoloured(worn, rng(5))
    far = ~_grown(worn.worn, 5)
    assert np.abs(seen.picture[far].astype(int) - worn.picture[far]).max() <= 1
    inner = ~_grown(~worn.worn, 4)
    flat = seen.garment.mask > 0.99
    before = worn.picture[inner].mean(axis=0) - worn.garment.pixels[flat].mean(axis=0)
    after = seen.picture[inner].mean(axis=0) - seen.garment.pixels[flat].mean(axis=0)
    assert np.abs(seen.picture[inner].mean(axis=0) - worn.picture[inner].mean(axis=0)).max() > 10
    assert np.abs(after - before).max() < 30


def test_another_background_leaves_the_person(worn: Worn) -> None:
    seen = another_background(worn, rng(6))
    person = ~_grown(worn.parse == Part.BACKGROUND, 5)
    assert np.abs(seen.picture[person].astype(int) - worn.picture[person]).max() <= 1
    assert np.abs(seen.picture[~person].astype(int) - worn.picture[~person]).mean() > 10


@pytest.mark.parametrize("also_garment", [True, False])
def test_another_light_falls_on_the_flat_garment_too_or_on_the_photo_alone(worn: Worn, also_garment: bool) -> None:
    seen = another_light(worn, rng(7), also_garment=also_garment)
    assert not np.array_equal(seen.picture, worn.picture)
    assert np.array_equal(seen.garment.pixels, worn.garment.pixels) != also_garment


def test_shading_goes_and_the_mean_stays(worn: Worn) -> None:
    height, width = worn.garment.mask.shape
    ramp = np.linspace(60, 200, width)[None, :, None] * np.ones((height, 1, 3))
    shaded = replace(worn, garment=Cutout(ramp.astype(np.uint8), np.ones((height, width), np.float32)))
    flat = without_shading(shaded, rng(8)).garment.pixels
    assert flat[:, : width // 4].mean() - shaded.garment.pixels[:, : width // 4].mean() > 20
    assert abs(float(flat.mean()) - float(ramp.mean())) < 12


def test_a_bent_garment_has_moved_and_keeps_its_size(worn: Worn) -> None:
    seen = bent(worn, rng(9)).garment
    assert not np.array_equal(seen.mask, worn.garment.mask)
    assert abs(float(seen.mask.mean()) / float(worn.garment.mask.mean()) - 1) < 0.15


def test_misplaced_joints_stay_near(worn: Worn) -> None:
    apart = np.abs(misplaced(worn.keypoints, rng(10)).points - worn.keypoints.points)
    assert 0 < apart.max() < 0.1 * worn.picture.shape[0]


def test_a_partly_hidden_garment_lacks_something_and_an_empty_one_nothing() -> None:
    cover = np.ones((HEIGHT, WIDTH), np.float32)
    less = partly_hidden(cover, rng(11))
    assert 0 < (less < 0.9).mean() < 0.5
    assert not partly_hidden(np.zeros_like(cover), rng(11)).any()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_wider_mask_holds_the_mask_and_spares_the_face(seed: int) -> None:
    mask, spared = np.zeros((HEIGHT, WIDTH), np.float32), np.zeros((HEIGHT, WIDTH), bool)
    mask[40:100, 20:70] = 1
    spared[10:40, 30:60] = True
    wide = wider_mask(mask, spared, rng(seed))
    assert (wide >= mask).all()
    assert not wide[spared].any()


def _grown(region: np.ndarray, radius: int) -> np.ndarray:
    import cv2

    return cv2.dilate(region.astype(np.uint8), np.ones((2 * radius + 1,) * 2, np.uint8)) > 0


@pytest.mark.slow
def test_some_variants_lead_from_the_garment_to_the_photo_as_it_was_worn(
    worn: Worn, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = []
    noted = tuple(
        replace(change, apply=lambda seen, _rng, _, what=change.what: (happened[-1].add(what), seen)[1])
        for change in CHANGES
    )
    monkeypatch.setattr("lite_vton_training.mix.variant.CHANGES", noted)
    for seed in range(120):
        happened.append(set())
        variant(worn, rng(seed), HEIGHT, WIDTH)
    apart = {change.what for change in CHANGES if change.apart}
    assert apart
    assert apart < {what for each in happened for what in each}
    together = sum(not (each & apart) for each in happened) / len(happened)
    by_chance = np.prod([1 - change.share for change in CHANGES if change.apart])
    assert abs(together - (AS_WORN + (1 - AS_WORN) * by_chance)) < 0.13
