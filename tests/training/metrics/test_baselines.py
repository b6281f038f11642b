"""Try-ons without a network keep the person, show the garment where it was warped to, and leave no grey."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lite_vton.data.sample import TryOnSample
from lite_vton.tryon.inputs import TryOnInputs, to_network
from lite_vton_training.metrics import Picture
from lite_vton_training.metrics.baselines import inpainted_warp, pasted_warp, poisson_warp

Baseline = Callable[[TryOnSample], Picture]

HEIGHT, WIDTH = 48, 36
SKIN, GREEN, GREY = (210, 160, 130), (30, 160, 60), 128


def person() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), SKIN, np.uint8)


def sample(mask: np.ndarray, cover: np.ndarray) -> TryOnSample:
    """Skin all over, with `mask` to be repainted and a green garment where `cover` says."""
    warped = np.where(cover[..., None] > 0, np.array(GREEN, np.uint8), np.uint8(0))
    inputs = TryOnInputs.compose(person(), mask, warped, cover, person())
    return TryOnSample("person.jpg", "cloth.jpg", "upper", inputs, to_network(person()), warped, warped, cover)


def inner(top: int, left: int, share: float = 1.0) -> np.ndarray:
    area = np.zeros((HEIGHT, WIDTH), np.float32)
    area[top : HEIGHT - top, left : WIDTH - left] = share
    return area


def near(found: Picture, expected: np.ndarray) -> bool:
    """But for what whole numbers lose from pixel to pixel while a hole is filled."""
    return bool(np.abs(found.astype(int) - expected.astype(int)).max() <= 4)


def test_the_pasted_warp_is_what_the_network_is_told() -> None:
    found = pasted_warp(sample(inner(8, 6), inner(16, 12)))
    assert found[24, 18] == pytest.approx(GREEN)
    assert found[10, 8] == pytest.approx(GREY, abs=1)
    assert found[2, 2] == pytest.approx(SKIN)


def test_the_rest_of_the_mask_is_filled_from_the_nearer_of_person_and_garment() -> None:
    found = inpainted_warp(sample(inner(8, 6), inner(16, 12))).astype(int)
    assert np.array_equal(found[16:-16, 12:-12], np.full((16, 12, 3), GREEN))
    assert np.all(found >= np.minimum(SKIN, GREEN) - 4)
    assert np.all(found <= np.maximum(SKIN, GREEN) + 4)
    beside_the_person, beside_the_garment = found[8, 18], found[15, 18]
    assert np.abs(beside_the_person - SKIN).max() < 20 < np.abs(beside_the_person - GREEN).max()
    assert np.abs(beside_the_garment - GREEN).max() < np.abs(beside_the_garment - SKIN).max()


def test_a_soft_border_shows_what_was_filled_through_it() -> None:
    found = inpainted_warp(sample(inner(8, 6), inner(16, 12, 0.25)))
    assert found[24, 18] == pytest.approx(0.75 * np.array(SKIN) + 0.25 * np.array(GREEN), abs=4)


def test_a_blended_garment_keeps_its_colour_and_its_print_its_place() -> None:
    painted = sample(inner(8, 6), inner(16, 12))
    assert np.abs(poisson_warp(painted)[18:-18, 14:-14].astype(int) - GREEN).max() < 30
    printed = painted.warped.copy()
    printed[21, 20] = (230, 230, 230)
    found = poisson_warp(replace(painted, warped=printed))[17:-17, 13:-13, 2]
    assert np.unravel_index(found.argmax(), found.shape) == (21 - 17, 20 - 13)


@pytest.mark.parametrize("baseline", [inpainted_warp, poisson_warp])
def test_without_a_garment_in_the_mask_the_mask_is_filled(baseline: Baseline) -> None:
    nothing = sample(inner(8, 6), inner(0, 0, 0.0))
    assert near(baseline(nothing), person())
    beside = replace(nothing, warped_mask=1 - inner(8, 6), warped=person() // 2)
    assert near(baseline(beside), person())


@pytest.mark.parametrize("baseline", [inpainted_warp, poisson_warp])
@pytest.mark.parametrize(
    "corner", [(slice(0, 30), slice(0, 20)), (slice(20, None), slice(10, None)), (slice(None), slice(None))]
)
def test_masks_and_garments_may_touch_the_frame(baseline: Baseline, corner: tuple[slice, slice]) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[corner] = 1
    painted = sample(mask, mask)
    found = baseline(painted)
    assert found.shape == (HEIGHT, WIDTH, 3)
    assert found.dtype == np.uint8
    assert np.array_equal(found[mask == 0], person()[mask == 0])


def test_an_empty_mask_changes_nothing() -> None:
    untouched = sample(inner(0, 0, 0.0), inner(16, 12))
    for baseline in (pasted_warp, inpainted_warp, poisson_warp):
        assert np.array_equal(baseline(untouched), person())
