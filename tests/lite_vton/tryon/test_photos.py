"""Two photos and nothing else, drawn and real."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lite_vton.data.drawn.pair import Pair, draw_pair
from lite_vton.errors import UserError
from lite_vton.photo.files import Photo, load_photo
from lite_vton.tryon.known import Known
from lite_vton.tryon.photos import prepare_photos
from lite_vton.tryon.prepare import Prepared

pytestmark = pytest.mark.slow

pytest.importorskip("mediapipe", reason="needs lite-vton[photos]")

PHOTOS = Path("../shared/photos")
PEOPLE = sorted((PHOTOS / "persons").glob("*.jpg"))
GARMENTS = sorted((PHOTOS / "garments").glob("*.jpg"))
needs_photos = pytest.mark.skipif(not PEOPLE or not GARMENTS, reason="the photographs are not beside this checkout")


@pytest.fixture(scope="module")
def pair() -> Pair:
    return draw_pair(5, 0, 512, 384)


def on_the_body(prepared: Prepared) -> float:
    """Share of the garment that lies on the silhouette."""
    assert prepared.silhouette is not None
    garment = prepared.warped_mask > 0.5
    return float((garment & (prepared.silhouette > 0.5)).sum() / garment.sum())


def test_a_drawn_person_is_prepared_from_pictures_alone(pair: Pair) -> None:
    prepared = prepare_photos(Photo(pair.person), Photo(pair.cloth), 256, 192)
    assert on_the_body(prepared) > 0.9
    assert 0.1 < prepared.mask.mean() < 0.5
    assert not (prepared.mask[prepared.silhouette < 0.01] > 0).mean() > 0.1  # type: ignore[operator]


def test_keypoints_that_are_given_are_used_where_nobody_can_be_seen(pair: Pair) -> None:
    blank = Photo(np.full_like(pair.person, 128))
    given = prepare_photos(blank, Photo(pair.cloth), 256, 192, known=Known(keypoints=pair.keypoints))
    assert given.silhouette is None
    with pytest.raises(UserError, match="nobody is found"):
        prepare_photos(blank, Photo(pair.cloth), 256, 192)


def test_what_is_wrong_with_a_photo_is_said_with_its_name(pair: Pair) -> None:
    wall = replace(Photo(np.full_like(pair.person, 128)), name="wall.png")
    with pytest.raises(UserError, match=r"nobody is found in wall\.png"):
        prepare_photos(wall, Photo(pair.cloth), 256, 192)
    with pytest.raises(UserError, match=r"no garment found in wall\.png"):
        prepare_photos(Photo(pair.person), wall, 256, 192)


def test_a_mask_that_is_given_is_the_mask(pair: Pair) -> None:
    repaint = np.zeros(pair.person.shape[:2], np.uint8)
    repaint[200:300, 150:250] = 255
    prepared = prepare_photos(Photo(pair.person), Photo(pair.cloth), 256, 192, known=Known(repaint=repaint))
    crop = prepared.crop
    wanted = 100 * 100 * (256 / crop.height) * (192 / crop.width)
    assert abs(prepared.mask.sum() - wanted) < 0.05 * wanted
    with pytest.raises(UserError, match="mask is 10x10 and the photo 384x512"):
        prepare_photos(Photo(pair.person), Photo(pair.cloth), 256, 192, known=Known(repaint=repaint[:10, :10]))
    with pytest.raises(UserError, match="repaints nothing"):
        prepare_photos(Photo(pair.person), Photo(pair.cloth), 256, 192, known=Known(repaint=np.zeros_like(repaint)))


def test_a_cut_out_of_somebody_who_wears_the_garment_is_laid_flat_as_on_white() -> None:
    pair = draw_pair(5, 0, 512, 384)
    alpha = np.where(pair.parse > 0, 255, 0).astype(np.uint8)
    beneath = np.where(alpha[..., None] > 0, pair.person, 7).astype(np.uint8)
    on_white = np.where(alpha[..., None] > 0, pair.person, 255).astype(np.uint8)
    cut, plain = (
        prepare_photos(Photo(pair.person), garment, 64, 48, known=Known(keypoints=pair.keypoints)).garment
        for garment in (Photo(beneath, None, alpha), Photo(on_white))
    )
    np.testing.assert_array_equal(cut.pixels, plain.pixels)
    np.testing.assert_array_equal(cut.mask, plain.mask)
    assert cut.cut is not None  # what laying flat knows


def test_a_large_photo_is_prepared_as_its_smaller_copy() -> None:
    import cv2

    pair = draw_pair(5, 1, 512, 384)
    large = cv2.resize(pair.person, (1920, 2560), interpolation=cv2.INTER_CUBIC)
    one, other = (prepare_photos(Photo(person), Photo(pair.cloth), 64, 48) for person in (pair.person, large))
    assert np.abs(np.array([one.crop.left, one.crop.top]) * 5 - [other.crop.left, other.crop.top]).max() < 60
    assert one.silhouette is not None
    assert other.silhouette is not None
    assert np.abs(one.silhouette - other.silhouette).mean() < 0.03
    assert np.abs(one.mask - other.mask).mean() < 0.05


@needs_photos
@pytest.mark.shared
def test_a_real_garment_sits_on_every_real_body() -> None:
    garment = load_photo(next(path for path in GARMENTS if path.stem == "t-shirt-04"))
    for path in PEOPLE:
        prepared = prepare_photos(load_photo(path), garment, 256, 192)
        assert on_the_body(prepared) > 0.85, path.name
        assert (prepared.mask[prepared.warped_mask > 0.5] > 0).mean() > 0.9, path.name
