"""Keypoints: files, gaps, drawing."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lite_vton.errors import UserError
from lite_vton.person.keypoints import Joint, Keypoints, keypoints_of, read_keypoints, skeleton_picture, write_keypoints
from lite_vton.photo.crop import Crop

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def person(seed: int = 0, size: float = 100.0) -> Keypoints:
    points = np.random.default_rng(seed).uniform(0, size, (18, 2)).astype(np.float32)
    return Keypoints(points, np.ones(18, np.float32))


def without(keypoints: Keypoints, *joints: Joint) -> Keypoints:
    confidence = keypoints.confidence.copy()
    confidence[list(joints)] = 0
    return Keypoints(keypoints.points, confidence)


def write(path: Path, *people: list[float]) -> Path:
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": values} for values in people]}))
    return path


def coco(keypoints: Keypoints) -> list[float]:
    return [float(v) for v in np.column_stack([keypoints.points, keypoints.confidence]).ravel()]


@QUICK
@given(seed=st.integers(0, 1000))
def test_written_keypoints_read_back(tmp_path: Path, seed: int) -> None:
    write_keypoints(tmp_path / "kp.json", person(seed))
    back = read_keypoints(tmp_path / "kp.json")
    np.testing.assert_allclose(back.points, person(seed).points, atol=1e-3)
    np.testing.assert_array_equal(back.confidence, 1)


def test_coco_18_and_body_25_mean_the_same(tmp_path: Path) -> None:
    one = read_keypoints(write(tmp_path / "coco.json", coco(person())))
    write_keypoints(tmp_path / "body.json", person())
    two = read_keypoints(tmp_path / "body.json")
    np.testing.assert_allclose(one.points, two.points, atol=1e-3)


def test_of_several_people_the_largest_or_the_one_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "kp.json", coco(person(1, 50)), coco(person(2, 200)), coco(person(3, 90)))
    np.testing.assert_allclose(read_keypoints(path).points, person(2, 200).points, rtol=1e-6)
    np.testing.assert_allclose(read_keypoints(path, person_index=0).points, person(1, 50).points, rtol=1e-6)
    with pytest.raises(UserError, match="no person 3"):
        read_keypoints(path, person_index=3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not OpenPose JSON"),
        ("[]", "not OpenPose JSON"),
        ('{"people": [{"pose_keypoints_2d": ["a"]}]}', "not OpenPose JSON"),
        ('{"people": []}', "no people"),
        (json.dumps({"people": [{"pose_keypoints_2d": [0.0] * 75}]}), "no people"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 51}]}), "51 keypoint values"),
        (json.dumps({"people": [{"pose_keypoints_2d": [float("inf")] * 75}]}), "NaN|not OpenPose"),
        (json.dumps({"people": [{"pose_keypoints_2d": [float("nan")] * 75}]}), "NaN|not OpenPose"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1e300] * 75}]}), "absurdly"),
        (json.dumps({"people": [{"pose_keypoints_2d": coco(without(person(), 2, 5))}]}), "no shoulders"),
        (
            json.dumps({"people": [{"pose_keypoints_2d": [[1, 2, 1]] * 18}]}),
            "pose_keypoints_2d.0: input should be a val",
        ),
        (json.dumps({"people": [{"pose_keypoints": [1.0] * 54}]}), "pose_keypoints_2d: field required"),
        (json.dumps({"people": [{"pose_keypoints_2d": [10, 20, -0.5] * 18}]}), "confidences from -0.5 to -0.5"),
        (json.dumps({"people": [{"pose_keypoints_2d": [10, 20, 85] * 18}]}), "confidences from 85 to 85"),
        ("[" * 100_000, "not OpenPose JSON"),
        (json.dumps({"people": [{"pose_keypoints_2d": coco(without(person(), 8, 11))}]}), "no hips"),
    ],
)
def test_unusable_files_say_why_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "kp.json").write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        read_keypoints(tmp_path / "kp.json")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read_keypoints(tmp_path / "none.json")


def test_a_missing_twin_is_mirrored_across_the_neck() -> None:
    full = person()
    gap = without(full, Joint.L_SHOULDER, Joint.R_HIP).completed()
    neck = full.points[Joint.NECK, 0]
    for missing, twin in ((Joint.L_SHOULDER, Joint.R_SHOULDER), (Joint.R_HIP, Joint.L_HIP)):
        assert gap.sees(missing)
        assert gap.points[missing, 0] == pytest.approx(2 * neck - full.points[twin, 0], abs=1e-4)
        assert gap.points[missing, 1] == full.points[twin, 1]
    np.testing.assert_array_equal(full.completed().points, full.points)


def test_a_missing_neck_lies_between_the_shoulders() -> None:
    found = without(person(), Joint.NECK).completed().points[Joint.NECK]
    np.testing.assert_allclose(found, person().points[[2, 5]].mean(axis=0), rtol=1e-6)


def test_moving_into_a_crop_and_out_again_is_the_identity() -> None:
    crop = Crop(-10, 20, 60, 80)
    there = person().moved(crop, 256, 192)
    np.testing.assert_allclose(there.points / 3.2 + [-10, 20], person().points, atol=1e-4)


def test_outside_the_picture_is_a_user_error() -> None:
    person().check_inside(100, 100)
    far = Keypoints(person().points + 1000, person().confidence)
    with pytest.raises(UserError, match="outside the 100x100"):
        far.check_inside(100, 100)


@QUICK
@given(
    seed=st.integers(0, 100), height=st.integers(16, 80), width=st.integers(16, 80), far=st.sampled_from([1, 1e3, 1e6])
)
def test_the_skeleton_fits_any_picture(seed: int, height: int, width: int, far: float) -> None:
    picture = skeleton_picture(person(seed, 60 * far), height, width)
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8


def test_the_skeleton_shows_what_is_seen_in_openpose_colours() -> None:
    points = np.zeros((18, 2), np.float32)
    points[Joint.NECK], points[Joint.R_SHOULDER] = (150, 100), (50, 100)
    confidence = np.zeros(18, np.float32)
    confidence[[Joint.NECK, Joint.R_SHOULDER]] = 1
    picture = skeleton_picture(Keypoints(points, confidence), 200, 200)
    assert tuple(picture[100, 100]) == (153, 0, 0)  # the limb, at 60 % of red
    assert tuple(picture[100, 150]) == (255, 85, 0)  # the neck's own colour
    assert not picture[:90].any()
    assert not skeleton_picture(Keypoints(points, 0 * confidence), 200, 200).any()


def test_a_byte_order_mark_is_passed_over_and_utf_16_is_named(tmp_path: Path) -> None:
    text = json.dumps({"people": [{"pose_keypoints_2d": coco(person())}]})
    (tmp_path / "kp.json").write_text(text, encoding="utf-8-sig")
    np.testing.assert_allclose(read_keypoints(tmp_path / "kp.json").points, person().points, rtol=1e-5)
    (tmp_path / "kp.json").write_text(text, encoding="utf-16")
    with pytest.raises(UserError, match="is UTF-16"):
        read_keypoints(tmp_path / "kp.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["people", "pose_keypoints_2d"]), inner)
    ),
    max_leaves=12,
)
PEOPLE = st.lists(st.lists(st.floats(width=32), min_size=54, max_size=54), max_size=2).map(
    lambda people: {"people": [{"pose_keypoints_2d": values} for values in people]}
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=60) | (JSON | PEOPLE).map(lambda value: json.dumps(value).encode()))
def test_arbitrary_files_give_finite_keypoints_or_a_refusal(content: bytes) -> None:
    with suppress(UserError):
        read = keypoints_of(content, "it")
        assert np.isfinite(read.points).all()
        assert read.has_torso
        assert ((read.confidence >= 0) & (read.confidence <= 1)).all()
