from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lite_vton.cut import read_cut
from lite_vton.data.cut_file import save_cut
from lite_vton.data.layout import part_file
from lite_vton.data.synthetic import synthesize
from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.inputs import to_picture
from lite_vton.mask import agnostic_mask
from lite_vton.pose import Keypoints, write_keypoints

# Someone who stands upright in a 768x1024 picture, in COCO-18 order; knees and ankles are below it.
POINTS = np.array(
    [
        (384, 200), (384, 370), (240, 375), (210, 600), (200, 790), (528, 375), (558, 600), (568, 790),
        (310, 800), (0, 0), (0, 0), (458, 800), (0, 0), (0, 0), (355, 175), (413, 175), (310, 190), (458, 190),
    ],
    np.float32,
)  # fmt: skip


def _garment(color: tuple[int, int, int]) -> tuple[Image.Image, Image.Image]:
    shape = [(250, 200), (330, 170), (440, 170), (520, 200), (660, 400), (570, 450), (520, 360)]
    shape += [(520, 850), (250, 850), (250, 360), (200, 450), (110, 400)]
    cloth, mask = Image.new("RGB", (768, 1024), "white"), Image.new("L", (768, 1024), 0)
    ImageDraw.Draw(cloth).polygon(shape, fill=color)
    ImageDraw.Draw(mask).polygon(shape, fill=255)
    return cloth, mask


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Two people in the published layout and size, without the folders a reader can do without."""
    split = tmp_path / "test"
    for folder in ("image", "cloth", "cloth-mask", "agnostic-mask", "openpose_json"):
        (split / folder).mkdir(parents=True)
    keypoints = Keypoints(POINTS, (POINTS.sum(axis=1) > 0).astype(np.float32))
    for name, color in (("08909_00", (200, 30, 30)), ("00891_00", (30, 30, 200))):
        person = Image.new("RGB", (768, 1024), (120, 160, 120))
        ImageDraw.Draw(person).rectangle((230, 340, 540, 820), fill=color)
        person.save(split / "image" / f"{name}.jpg")
        cloth, mask = _garment(color)
        cloth.save(split / "cloth" / f"{name}.jpg")
        mask.save(split / "cloth-mask" / f"{name}.jpg")
        write_keypoints(split / "openpose_json" / f"{name}_keypoints.json", keypoints)
        # The published masks are RGB.
        repaint = (agnostic_mask(keypoints, 1024, 768) * 255).astype(np.uint8)
        Image.fromarray(repaint).convert("RGB").save(split / "agnostic-mask" / f"{name}_mask.png")
    (tmp_path / "test_pairs.txt").write_text("08909_00.jpg 00891_00.jpg\n00891_00.jpg 08909_00.jpg\n\n")
    return tmp_path


def test_a_published_folder_is_read_at_the_size_asked_for(published: Path) -> None:
    samples = VitonHD(published, "test", height=128, width=96)
    assert len(samples) == 2
    sample = samples[0]
    assert (sample.name, sample.cloth_name, sample.category) == ("08909_00.jpg", "08909_00.jpg", "upper")
    assert sample.garment.shape == (1024, 768, 3)
    assert sample.warped.shape == (128, 96, 3)
    assert sample.warped_mask.shape == (128, 96)
    inputs = sample.inputs
    for tensor, channels in ((inputs.person, 3), (inputs.mask, 1), (inputs.masked_person, 3), (inputs.pose, 3)):
        assert tensor.shape == (1, channels, 128, 96)
        assert tensor.dtype == np.float32
    assert set(np.unique(inputs.mask)) == {0.0, 1.0}
    assert np.array_equal(sample.target, inputs.person)


def test_a_garment_whose_cut_is_known_is_laid_on_by_it_and_a_broken_one_is_refused(published: Path) -> None:
    before = VitonHD(published, "test", height=128, width=96)[0]
    file = part_file(published / "test", "cut", "08909_00.jpg")
    file.parent.mkdir()
    cut = read_cut(np.asarray(Image.open(published / "test/cloth-mask/08909_00.jpg"), np.float32) / 255)
    save_cut(file, replace(cut, hem=0.8 * cut.hem, unit=1.25 * cut.unit))
    after = VitonHD(published, "test", height=128, width=96)[0]
    rows = [np.flatnonzero((sample.warped_mask > 0.5).any(axis=1))[-1] for sample in (before, after)]
    assert rows[1] < rows[0] - 5, "on a larger body it is shorter"
    file.write_text("{}")
    with pytest.raises(UserError, match="does not tell how its garment is cut"):
        VitonHD(published, "test", height=128, width=96)[0]


def test_the_garment_is_pasted_where_it_is_worn_and_the_rest_is_grey_or_the_person(published: Path) -> None:
    sample = VitonHD(published, "test", height=128, width=96)[0]
    masked, person = to_picture(sample.inputs.masked_person), to_picture(sample.target)
    assert np.abs(masked[70, 48].astype(int) - (200, 30, 30)).max() < 12, "the chest shows the garment"
    outside = sample.inputs.mask[0, 0] == 0
    assert np.array_equal(masked[outside], person[outside])


def test_unpaired_puts_the_listed_garment_on_the_person(published: Path) -> None:
    sample = VitonHD(published, "test", paired=False, height=128, width=96)[0]
    assert (sample.name, sample.cloth_name) == ("08909_00.jpg", "00891_00.jpg")
    blue = to_picture(sample.inputs.masked_person)[70, 48]
    assert blue[2] > 180 > 60 > blue[0]
    assert to_picture(sample.target)[70, 48][0] > 180, "the person still wears their own"


def test_keypoints_are_scaled_with_the_picture(published: Path) -> None:
    pose = to_picture(VitonHD(published, "test", height=128, width=96)[0].inputs.pose)
    x, y = (POINTS[3] / 8).round().astype(int)
    assert pose[y - 2 : y + 3, x - 2 : x + 3].max() > 100
    assert pose[:, -10:].max() == 0


def test_a_parse_that_shows_a_dress_makes_the_garment_one(published: Path) -> None:
    folder = published / "test/image-parse-v3"
    folder.mkdir()
    labels = np.zeros((1024, 768), np.uint8)
    labels[300:900, 200:500] = 6
    parse = Image.fromarray(labels, "L").convert("P")
    parse.putdata(labels.ravel().tolist())
    parse.save(folder / "00891_00.png")
    samples = VitonHD(published, "test", paired=False, height=64, width=48)
    assert [sample.category for sample in samples] == ["dress", "upper"]


def test_a_dataset_travels_to_other_processes_and_can_be_sliced(published: Path) -> None:
    samples = VitonHD(published, "test", height=64, width=48)
    copy = pickle.loads(pickle.dumps(samples))
    assert np.array_equal(copy[-1].inputs.masked_person, samples[1].inputs.masked_person)
    assert [sample.name for sample in samples[1:]] == ["00891_00.jpg"]
    with pytest.raises(IndexError):
        samples[2]


def test_a_drawn_dataset_is_read_like_a_published_one(tmp_path: Path) -> None:
    root = synthesize(tmp_path / "data", 6, seed=11, test_share=0.5)
    for split in ("train", "test"):
        for paired in (True, False):
            samples = VitonHD(root, split, paired)  # type: ignore[arg-type]
            assert len(samples) == 3
            for sample in samples:
                covered = sample.inputs.mask[0, 0] > 0.5
                assert 0.1 < covered.mean() < 0.75
                assert (sample.warped_mask[covered] > 0.5).mean() > 0.25, "the warped garment fills much of the mask"


def test_the_warp_of_the_garment_worn_is_nearer_to_the_person_than_that_of_another(tmp_path: Path) -> None:
    root = synthesize(tmp_path / "data", 10, seed=2, test_share=1)

    def error(paired: bool) -> float:
        errors = []
        for sample in VitonHD(root, "test", paired):
            pasted = (sample.inputs.mask[0, 0] > 0) & (sample.warped_mask > 0.5)
            errors.append(np.abs(sample.inputs.masked_person - sample.target)[0, :, pasted].mean())
        return float(np.mean(errors))

    assert error(paired=True) < 0.75 * error(paired=False)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("no root", "no dataset at"),
        ("no split folder", "lacks image, cloth"),
        ("no cloth masks", "lacks cloth-mask"),
        ("no list", "cannot read .*test_pairs.txt"),
        ("one name", "line 2: 'lonely.jpg' is no pair"),
        ("a path", "line 2: .* is no pair"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_at_once(published: Path, broken: str, message: str) -> None:
    root, pairs = published, published / "test_pairs.txt"
    if broken == "no root":
        root = published / "nowhere"
    elif broken == "no split folder":
        (published / "test").rename(published / "other")
    elif broken == "no cloth masks":
        (published / "test/cloth-mask").rename(published / "elsewhere")
    elif broken == "no list":
        pairs.unlink()
    else:
        second = "lonely.jpg" if broken == "one name" else "../../secret.jpg 00891_00.jpg"
        pairs.write_text(f"08909_00.jpg 00891_00.jpg\n{second}\n")
    with pytest.raises(UserError, match=message) as caught:
        VitonHD(root, "test")
    assert "\n" not in str(caught.value)


def test_an_unknown_split_is_refused(published: Path) -> None:
    with pytest.raises(UserError, match="no split 'valid'"):
        VitonHD(published, "valid")  # type: ignore[arg-type]


def test_a_missing_file_is_named_when_its_sample_is_read(published: Path) -> None:
    (published / "test/cloth/00891_00.jpg").unlink()
    samples = VitonHD(published, "test", height=64, width=48)
    assert samples[0].name == "08909_00.jpg"
    with pytest.raises(UserError, match=r"cloth/00891_00\.jpg is missing"):
        samples[1]


def test_an_inverted_mask_is_told_by_the_torso_it_keeps(published: Path) -> None:
    file = published / "test/agnostic-mask/00891_00_mask.png"
    samples = VitonHD(published, "test", height=64, width=48)
    Image.fromarray(255 - np.asarray(Image.open(file))).save(file)
    assert samples[0].name == "08909_00.jpg"
    with pytest.raises(UserError, match=r"00891_00_mask\.png does not repaint the torso.*invert it"):
        samples[1]


def test_a_person_of_another_shape_is_not_stretched(published: Path) -> None:
    file = published / "test/image/00891_00.jpg"
    Image.open(file).crop((0, 0, 768, 900)).save(file)
    with pytest.raises(UserError, match=r"image/00891_00\.jpg is 768x900, .*crop it"):
        VitonHD(published, "test", height=64, width=48)[1]


def test_a_mask_of_another_shape_than_its_photo_is_refused(published: Path) -> None:
    file = published / "test/agnostic-mask/00891_00_mask.png"
    Image.open(file).crop((0, 0, 700, 1024)).save(file)
    with pytest.raises(UserError, match=r"00891_00_mask\.png is 700x1024, .*its photo, 768x1024"):
        VitonHD(published, "test", height=64, width=48)[1]


def test_an_empty_list_is_refused(published: Path) -> None:
    (published / "test_pairs.txt").write_text("\n\n")
    with pytest.raises(UserError, match=r"test_pairs\.txt lists no pairs"):
        VitonHD(published, "test")


def test_broken_pairs_can_be_left_out_and_are_named(published: Path) -> None:
    photo = published / "test/image/00891_00.jpg"
    photo.write_bytes(photo.read_bytes()[:2000])
    done: list[int] = []
    sound, faults = VitonHD(published, "test", height=64, width=48).without_broken(done.append)
    assert [sample.name for sample in sound] == ["08909_00.jpg"]
    assert done == [1, 2]
    (fault,) = faults
    assert fault.startswith("00891_00.jpg with 00891_00.jpg: ")
    assert "image/00891_00.jpg is damaged" in fault
    with pytest.raises(UserError, match="damaged"):
        list(VitonHD(published, "test", height=64, width=48))


def test_the_person_alone_is_the_one_of_the_sample(published: Path) -> None:
    samples = VitonHD(published, "test", height=64, width=48)
    truth, sample = samples.truth(1), samples[1]
    assert np.array_equal(truth.picture, to_picture(sample.target))
    assert np.array_equal(truth.mask, sample.inputs.mask[0, 0])
    assert [pair.person for pair in samples.first(1).pairs] == ["08909_00.jpg"]
