from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lite_vton.data.drawn.dataset import synthesize
from lite_vton.data.layout import part_file
from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.garment.cut import read_cut
from lite_vton.garment.cut_file import save_cut
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.person.keypoints import Keypoints, read_keypoints, write_keypoints
from lite_vton.tryon.inputs import to_picture

pytestmark = pytest.mark.slow

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


def _rewrite(file: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    Image.fromarray(np.ascontiguousarray(change(np.asarray(Image.open(file).convert("L"))))).save(file)


def _scale_keypoints(file: Path, scale: float | np.ndarray) -> None:
    keypoints = read_keypoints(file)
    write_keypoints(file, Keypoints((keypoints.points * scale).astype(np.float32), keypoints.confidence))


@pytest.mark.parametrize(
    ("scale", "says"),
    [
        (4.0, "outside the 768x1024 photo, and within one 4 times as large"),
        (2.0, "outside the 768x1024 photo|about 2 times as large"),
        (0.5, "about 2 times smaller"),
        (np.array([1 / 768, 1 / 1024]), r"in 0\.\.1, not in pixels of this 768x1024 photo"),
    ],
)
def test_keypoints_of_another_size_are_refused_with_their_file_and_pair(
    published: Path, scale: float | np.ndarray, says: str
) -> None:
    _scale_keypoints(published / "test/openpose_json/00891_00_keypoints.json", scale)
    samples = VitonHD(published, "test", height=64, width=48)
    for read in (samples.__getitem__, samples.truth):
        with pytest.raises(UserError, match=says) as caught:
            read(1)
        assert str(caught.value).startswith("00891_00.jpg with 00891_00.jpg: ")
        assert "openpose_json/00891_00_keypoints.json" in str(caught.value)
    sound, faults = samples.without_broken()
    assert (len(sound), len(faults)) == (1, 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: 255 - m, "looks inverted"),
        (lambda m: np.full_like(m, 255), "all white"),
        (lambda m: m[::-1, ::-1], "upside down|flipped from top"),
        (lambda m: m[::2, ::2], "is 384x512, and its photo, 768x1024, is not"),
        (lambda m: m.T, "is 1024x768, and its photo, 768x1024, is not: it looks turned by 90 degrees"),
        (np.zeros_like, "cuts out nothing, it is empty, all black"),
    ],
)
def test_a_cloth_mask_that_is_not_its_garment_s_is_refused_by_name(
    published: Path, change: Callable[[np.ndarray], np.ndarray], says: str
) -> None:
    _rewrite(published / "test/cloth-mask/00891_00.jpg", change)
    with pytest.raises(UserError, match=says) as caught:
        VitonHD(published, "test", height=64, width=48).garment(1)
    assert "cloth-mask/00891_00.jpg" in str(caught.value)


def test_masks_painted_on_transparency_are_what_is_painted(published: Path) -> None:
    before = VitonHD(published, "test", height=64, width=48)[1]
    for file in (published / "test/cloth-mask/00891_00.jpg", published / "test/agnostic-mask/00891_00_mask.png"):
        alpha = Image.open(file).convert("L").point(lambda value: 255 * (value > 127))
        white = Image.new("RGBA", alpha.size, "white")
        white.putalpha(alpha)
        file.unlink()
        white.save(file.with_suffix(".png"))
    after = VitonHD(published, "test", height=64, width=48)[1]
    np.testing.assert_array_equal(after.inputs.mask, before.inputs.mask)
    assert np.abs(after.warped_mask - before.warped_mask).mean() < 0.05


def test_copies_with_other_usual_names_are_read_too(published: Path) -> None:
    before = VitonHD(published, "test", paired=False, height=64, width=48)[0]
    split = published / "test"
    for old, new in (
        ("cloth-mask", "cloth_mask"),
        ("openpose_json", "openpose-json"),
        ("agnostic-mask", "agnostic_mask"),
    ):
        (split / old).rename(split / new)
    (published / "test_pairs.txt").rename(split / "test_pairs.txt")
    for file in (split / "cloth_mask").iterdir():
        Image.open(file).save(file.with_suffix(".png"))
        file.unlink()
    after = VitonHD(published, "test", paired=False, height=64, width=48)[0]
    np.testing.assert_array_equal(after.inputs.mask, before.inputs.mask)


def test_a_picture_is_read_under_the_name_in_the_list_or_with_another_suffix(published: Path) -> None:
    split = published / "test"
    for folder in ("image", "cloth"):
        Image.open(split / folder / "08909_00.jpg").save(split / folder / "my person.png")
        Image.open(split / folder / "00891_00.jpg").save(split / folder / "OTHER.JPG", "JPEG")
    for stem, source in (("my person", "08909_00"), ("OTHER", "00891_00")):
        shutil.copy(split / f"cloth-mask/{source}.jpg", split / f"cloth-mask/{stem}.jpg")
        shutil.copy(split / f"agnostic-mask/{source}_mask.png", split / f"agnostic-mask/{stem}_mask.png")
        shutil.copy(split / f"openpose_json/{source}_keypoints.json", split / f"openpose_json/{stem}_keypoints.json")
    (published / "test_pairs.txt").write_text("\ufeffmy person.png OTHER.jpg\r\nOTHER.JPG my person.jpg\r\n")
    samples = VitonHD(published, "test", paired=False, height=64, width=48)
    assert [(sample.name, sample.cloth_name) for sample in samples] == [
        ("my person.png", "OTHER.jpg"),
        ("OTHER.JPG", "my person.jpg"),
    ]


def test_names_that_differ_in_case_alone_are_two_files(published: Path) -> None:
    split = published / "test"
    for folder, ending in (("image", ".jpg"), ("cloth", ".jpg"), ("cloth-mask", ".jpg")):
        for source, name in (("08909_00", "a"), ("00891_00", "A")):
            shutil.copy(split / folder / f"{source}{ending}", split / folder / f"{name}{ending}")
    (published / "test_pairs.txt").write_text("a.jpg A.jpg\n")
    samples = VitonHD(published, "test", paired=False, height=64, width=48)
    assert samples.garment(0).pixels[500, 384, 2] > 180, "the blue one"


def test_a_list_with_the_garment_first_is_told_where_the_files_tell(published: Path) -> None:
    split = published / "test"
    (split / "cloth/00891_00.jpg").rename(split / "cloth/shirt.jpg")
    (split / "cloth-mask/00891_00.jpg").rename(split / "cloth-mask/shirt.jpg")
    (published / "test_pairs.txt").write_text("shirt.jpg 08909_00.jpg\n")
    with pytest.raises(UserError, match=r"write the person first, then the garment"):
        VitonHD(published, "test", paired=False, height=64, width=48)[0]


def test_links_are_followed_and_what_is_no_file_is_left_out_as_a_broken_pair(published: Path) -> None:
    split = published / "test"
    elsewhere = published / "elsewhere.jpg"
    (split / "cloth/08909_00.jpg").rename(elsewhere)
    (split / "cloth/08909_00.jpg").symlink_to(elsewhere)
    (split / "image/00891_00.jpg").unlink()
    (split / "image/00891_00.jpg").mkdir()
    long_name = "n" * 250
    (published / "test_pairs.txt").write_text(f"08909_00.jpg b.jpg\n00891_00.jpg b.jpg\n{long_name}.jpg b.jpg\n")
    (split / "image/loop.jpg").symlink_to(split / "image/loop.jpg")
    sound, faults = VitonHD(published, "test", height=64, width=48).without_broken()
    assert [pair.person for pair in sound.pairs] == ["08909_00.jpg"]
    assert [fault.split(" with ")[0] for fault in faults] == ["00891_00.jpg", f"{long_name}.jpg"]


def test_a_person_with_several_garments_is_one_paired_sample(published: Path) -> None:
    (published / "test_pairs.txt").write_text("08909_00.jpg 00891_00.jpg\n08909_00.jpg 08909_00.jpg\n")
    assert len(VitonHD(published, "test", paired=True, height=64, width=48)) == 1
    assert len(VitonHD(published, "test", paired=False, height=64, width=48)) == 2
