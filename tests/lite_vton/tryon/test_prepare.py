"""From two photos to the network's inputs, drawn and real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lite_vton.errors import UserError
from lite_vton.garment.cutout import Cutout, cut_out
from lite_vton.person.keypoints import Keypoints, read_keypoints
from lite_vton.person.parse_labels import Part
from lite_vton.photo.crop import paste_back, paste_mask
from lite_vton.photo.files import Photo, load_photo
from lite_vton.tryon.known import Known
from lite_vton.tryon.prepare import FoundPerson, Prepared, prepare
from tests.lite_vton.garment.flat_lowers import skirt, trousers

pytestmark = pytest.mark.slow

PHOTOS = Path("../shared/photos")
PEOPLE = sorted((PHOTOS / "persons").glob("*.jpg"))
GARMENTS = sorted((PHOTOS / "garments").glob("*.jpg"))
needs_photos = pytest.mark.skipif(not PEOPLE or not GARMENTS, reason="the photographs are not beside this checkout")

STANDING = np.array([
    (196, 150), (196, 184), (160, 186), (152, 234), (146, 280), (232, 186), (240, 234), (246, 280), (176, 282),
    (176, 350), (176, 420), (216, 282), (216, 350), (216, 420), (188, 142), (204, 142), (178, 148), (214, 148),
], np.float32)  # fmt: skip


def check(prepared: Prepared, height: int, width: int) -> None:
    inputs = prepared.inputs
    for tensor, channels in ((inputs.person, 3), (inputs.mask, 1), (inputs.masked_person, 3), (inputs.pose, 3)):
        assert tensor.shape == (1, channels, height, width)
        assert tensor.dtype == np.float32
        assert np.isfinite(tensor).all()
        assert np.abs(tensor).max() <= 1
    repaint = inputs.mask > 0
    outside = ~np.broadcast_to(repaint, inputs.person.shape)
    np.testing.assert_array_equal(inputs.masked_person[outside], inputs.person[outside])
    assert 0.1 < repaint.mean() < 0.7
    # The garment lies on the person, mostly where the old one is hidden.
    garment = prepared.warped_mask > 0.5
    assert (garment & (prepared.mask > 0)).sum() > 0.8 * garment.sum()
    assert (garment & (prepared.mask > 0)).sum() > 0.4 * prepared.mask.sum()


@pytest.mark.parametrize(("height", "width"), [(64, 48), (256, 192)])
def test_two_pictures_become_inputs_of_the_model_s_size(height: int, width: int) -> None:
    person = Photo(np.random.default_rng(0).integers(0, 256, (500, 400, 3), dtype=np.uint8))
    mask = np.ones((90, 70), np.float32)
    garment = Cutout(np.full((90, 70, 3), 200, np.uint8), mask)
    keypoints = Keypoints(STANDING, np.ones(18, np.float32))
    prepared = prepare(person, FoundPerson(keypoints), garment, height, width)
    check(prepared, height, width)
    assert prepared.person_crop.shape == prepared.skeleton.shape == (height, width, 3)


def test_keypoints_of_another_photo_are_refused() -> None:
    garment = Cutout(np.zeros((9, 9, 3), np.uint8), np.ones((9, 9), np.float32))
    keypoints = Keypoints(STANDING + 1000, np.ones(18, np.float32))
    with pytest.raises(UserError, match="outside"):
        prepare(Photo(np.zeros((500, 400, 3), np.uint8)), FoundPerson(keypoints), garment, 64, 48)


def test_a_plain_mask_of_a_lower_garment_is_the_old_one_in_the_parse() -> None:
    person, keypoints = Photo(np.zeros((500, 400, 3), np.uint8)), Keypoints(STANDING, np.ones(18, np.float32))
    parse = np.zeros((500, 400), np.uint8)
    parse[180:300, 150:240] = Part.UPPER_CLOTHES
    with pytest.raises(UserError, match="no trousers and no skirt"):
        prepare(
            person,
            FoundPerson(keypoints),
            Cutout(*trousers(320)),
            256,
            192,
            "lower",
            mask="plain",
            known=Known(parse=parse),
        )
    parse[290:400, 160:230] = Part.TROUSERS
    prepared = prepare(
        person,
        FoundPerson(keypoints),
        Cutout(*trousers(320)),
        256,
        192,
        "lower",
        mask="plain",
        known=Known(parse=parse),
    )
    assert 0.05 < prepared.mask.mean() < 0.5


@needs_photos
@pytest.mark.shared
def test_every_real_person_wears_real_garments() -> None:
    names = ("t-shirt-04", "longsleeve-11", "shirt-13", "dress-15")
    garments = [cut_out(load_photo(path)) for path in GARMENTS if path.stem in names]
    assert len(garments) == len(names)
    for path in PEOPLE:
        person = load_photo(path)
        keypoints = read_keypoints(path.with_name(f"{path.stem}_keypoints.json"))
        for garment in garments:
            prepared = prepare(person, FoundPerson(keypoints), garment, 256, 192)
            check(prepared, 256, 192)
        pasted = paste_back(person.pixels, prepared.crop, prepared.warped, prepared.mask)
        alpha = paste_mask(prepared.mask, prepared.crop, person.height, person.width)
        np.testing.assert_array_equal(pasted[alpha == 0], person.pixels[alpha == 0])
        assert (pasted != person.pixels).any()


@needs_photos
@pytest.mark.shared
@pytest.mark.parametrize("flat", [trousers(320), trousers(60), skirt(220, 110)], ids=["trousers", "shorts", "skirt"])
def test_every_real_person_with_knees_wears_what_is_worn_below_the_waist(flat: tuple[np.ndarray, np.ndarray]) -> None:
    garment, dressed = Cutout(*flat), 0
    for path in PEOPLE:
        person = load_photo(path)
        keypoints = read_keypoints(path.with_name(f"{path.stem}_keypoints.json"))
        if not keypoints.visible[[9, 12]].any():
            with pytest.raises(UserError, match="no knees"):
                prepare(person, FoundPerson(keypoints), garment, 256, 192, "lower")
            continue
        prepared = prepare(person, FoundPerson(keypoints), garment, 256, 192, "lower")
        worn = prepared.warped_mask > 0.5
        assert worn.sum() > 0.04 * worn.size
        # Less a hand before it.
        assert (worn & (prepared.mask > 0)).sum() > 0.8 * worn.sum()
        pasted = paste_back(person.pixels, prepared.crop, prepared.warped, prepared.mask)
        alpha = paste_mask(prepared.mask, prepared.crop, person.height, person.width)
        np.testing.assert_array_equal(pasted[alpha == 0], person.pixels[alpha == 0])
        dressed += 1
    assert dressed > 0


@needs_photos
@pytest.mark.shared
@pytest.mark.parametrize("path", GARMENTS, ids=lambda path: path.stem)
def test_real_garments_are_cut_out(path: Path) -> None:
    photo = load_photo(path)
    cut = cut_out(photo)
    garment = float((cut.mask > 0.5).sum()) / photo.pixels[..., 0].size
    assert 0.1 < garment < 0.75
    # All of one piece, and none of the corners, where no garment lies.
    assert max(cut.mask[0, 0], cut.mask[0, -1]) < 0.5
