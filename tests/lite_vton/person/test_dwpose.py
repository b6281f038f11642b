"""DWPose's two networks: small ONNX files that see colours stand for them, with the same inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lite_vton.errors import UserError
from lite_vton.person.dwpose import DETECTOR_FILE, POSE_FILE, dwpose_people
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.yolox import person_boxes

QUICK = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# RGB, far from each other and from themselves with red and blue exchanged.
SKY, PEOPLE, HORSE = (180, 190, 60), ((20, 60, 120), (120, 20, 70), (30, 110, 10)), (250, 140, 90)
JOINTS = [(r, g, b) for r in (160, 205, 250) for g in (40, 115, 255) for b in (25, 230)][:17]
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

# COCO's 17 in a box of 1 x 1, and the row of OpenPose's 18 each becomes.
STANDING = np.array(
    [(50, 12), (62, 6), (38, 6), (80, 12), (20, 12), (72, 27), (28, 27), (88, 42), (12, 42), (92, 60), (8, 60),
     (62, 52), (38, 52), (66, 73), (34, 73), (68, 94), (32, 94)]
) / 100  # fmt: skip
OPENPOSE = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]


def save(
    path: Path, nodes: list[onnx.NodeProto], constants: dict[str, NDArray], size: tuple[int, int], *outputs: str
) -> Path:
    """A model of one picture (1, 3, *size) named `pixels`."""
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, *size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def floats(*values: object) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def like(distance: str, limit: str) -> list[onnx.NodeProto]:
    """`seen`, 1 where `distance` is below `limit` on 3 x 3 pixels, so not where two colours are blended at an edge."""
    node = helper.make_node
    return [
        node("Less", [distance, limit], ["near"]),
        node("Cast", ["near"], ["near_share"], to=TensorProto.FLOAT),
        node("AveragePool", ["near_share"], ["share"], kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1),
        node("Greater", ["share", "nearly_all"], ["inner"]),
        node("Cast", ["inner"], ["inner_share"], to=TensorProto.FLOAT),
        node("MaxPool", ["inner_share"], ["seen"], kernel_shape=[3, 3], pads=[1] * 4),
    ]


def pose_network(path: Path, size: tuple[int, int] = (384, 288), points: int = 133, ratio: int = 2) -> Path:
    """SimCC whose bins of point i count the pixels of colour i in a row or column, smoothed to a single peak."""
    height, width = size
    node = helper.make_node
    nodes = [
        node("Mul", ["pixels", "deviation"], ["scaled"]),
        node("Add", ["scaled", "mean"], ["rgb"]),
        node("Conv", ["rgb", "towards", "offset"], ["likeness"]),  # 2 c·x - c·c, so that - x·x makes a distance
        node("ReduceSumSquare", ["rgb", "channels"], ["brightness"]),
        node("Sub", ["brightness", "likeness"], ["distance"]),
        *like("distance", "limit"),
    ]
    constants = {
        "deviation": floats(*DEVIATION).reshape(3, 1, 1),
        "mean": floats(*MEAN).reshape(3, 1, 1),
        "towards": 2 * floats(*JOINTS).reshape(17, 3, 1, 1),
        "offset": -np.square(floats(*JOINTS)).sum(axis=1),
        "channels": np.array([1]),
        "limit": floats(25**2),
        "nearly_all": floats(0.95),
        "rest": np.array([0, 0, 0, 0, points - 17, 0]),
    }
    for name, across, length in (("simcc_x", 2, width), ("simcc_y", 3, height)):
        constants |= {f"{name}_axis": np.array([across]), f"{name}_bins": np.array([1, 17, length * ratio])}
        smooth = {"kernel_shape": [9], "pads": [4, 4], "count_include_pad": 1}
        nodes += [
            node("ReduceSum", ["seen", f"{name}_axis"], [f"{name}_counts"], keepdims=0),
            node("AveragePool", [f"{name}_counts"], [f"{name}_smooth"], **smooth),
            node("AveragePool", [f"{name}_smooth"], [f"{name}_smoother"], **smooth),
            node("Resize", [f"{name}_smoother", "", "", f"{name}_bins"], [f"{name}_resized"], mode="linear",
                 coordinate_transformation_mode="asymmetric"),
            node("Pad", [f"{name}_resized", "rest"], [name]),
        ]  # fmt: skip
    return save(path, nodes, constants, size, "simcc_x", "simcc_y")


@dataclass(frozen=True)
class Proposal:
    """What the detector says in one cell: the box of a colour, moved by `shift` pixels of its input."""

    person: int
    stride: int = 8
    shift: float = 0
    objectness: float = 0.9
    label: int = 0


def detector(path: Path, proposals: Sequence[Proposal], size: tuple[int, int] = (640, 640), classes: int = 80) -> Path:
    """YOLOX's grid, zero but for cells that say where all pixels of a colour are; colours as BGR from 0 to 255."""
    height, width = size
    node = helper.make_node
    shapes = [(height // stride, width // stride) for stride in (8, 16, 32)]
    first = dict(zip((8, 16, 32), np.cumsum([0, *(rows * columns for rows, columns in shapes)]), strict=False))
    cells = [(3 + 2 * i, 1 + i) for i in range(len(proposals))]  # column, row: anywhere, each its own
    indices = [first[p.stride] + y * (width // p.stride) + x for p, (x, y) in zip(proposals, cells, strict=True)]
    said = np.zeros((len(proposals), 1 + classes), np.float32)
    for row, proposal in zip(said, proposals, strict=True):
        row[0], row[1 + proposal.label] = proposal.objectness, 0.9
    constants = {
        "colours": floats(*(colour[::-1] for colour in (*PEOPLE, HORSE))).reshape(4, 3, 1, 1),
        "channels": np.array([1]),
        "limit": floats(30**2),
        "nearly_all": floats(0.95),
        "last": np.array([-1]),
        "down": np.array([1]),
        "across": np.array([2]),
        "people": np.array([p.person for p in proposals]),
        "stride": floats(*(p.stride for p in proposals)).reshape(-1, 1),
        "cells": floats(*((x - p.shift / p.stride, y) for p, (x, y) in zip(proposals, cells, strict=True))),
        "said": said,
        "half": floats(0.5),
        "least": floats(1e-3),
        "grid": np.zeros((sum(rows * columns for rows, columns in shapes), 5 + classes), np.float32),
        "indices": np.array(indices).reshape(-1, 1),
        "first": np.array([0]),
    }
    nodes = [
        node("Sub", ["pixels", "colours"], ["apart"]),
        node("ReduceSumSquare", ["apart", "channels"], ["distances"]),
        node("Transpose", ["distances"], ["distance"], perm=[1, 0, 2, 3]),
        *like("distance", "limit"),
        node("Squeeze", ["seen", "first"], ["coloured"]),
    ]
    for name, axis, length in (("x", "down", width), ("y", "across", height)):
        constants |= {
            f"{name}_from_start": np.arange(1, length + 1, dtype=np.float32),
            f"{name}_from_end": np.arange(length, 0, -1, dtype=np.float32),
            f"{name}_length": floats(length),
        }
        nodes += [
            node("ReduceMax", ["coloured", axis], [f"{name}_seen"], keepdims=0),
            node("Mul", [f"{name}_seen", f"{name}_from_start"], [f"{name}_ends"]),
            node("ReduceMax", [f"{name}_ends", "last"], [f"{name}_end"]),
            node("Mul", [f"{name}_seen", f"{name}_from_end"], [f"{name}_starts"]),
            node("ReduceMax", [f"{name}_starts", "last"], [f"{name}_before"]),
            node("Sub", [f"{name}_length", f"{name}_before"], [f"{name}_start"]),
        ]
    nodes += [
        node("ReduceMax", ["x_seen", "last"], ["found"]),
        node("Concat", ["x_start", "y_start"], ["starts"], axis=1),
        node("Concat", ["x_end", "y_end"], ["ends"], axis=1),
        node("Add", ["starts", "ends"], ["sum"]),
        node("Mul", ["sum", "half"], ["centres"]),
        node("Sub", ["ends", "starts"], ["differences"]),
        node("Max", ["differences", "least"], ["sizes"]),
        node("Gather", ["centres", "people"], ["centre"]),
        node("Div", ["centre", "stride"], ["centre_cells"]),
        node("Sub", ["centre_cells", "cells"], ["xy"]),
        node("Gather", ["sizes", "people"], ["size"]),
        node("Div", ["size", "stride"], ["size_cells"]),
        node("Log", ["size_cells"], ["wh"]),
        node("Gather", ["found", "people"], ["here"]),
        node("Mul", ["said", "here"], ["scores"]),
        node("Concat", ["xy", "wh", "scores"], ["rows"], axis=1),
        node("ScatterND", ["grid", "indices", "rows"], ["filled"]),
        node("Unsqueeze", ["filled", "first"], ["output"]),
    ]
    return save(path, nodes, constants, size, "output")


EVERYBODY = (Proposal(0, 8), Proposal(1, 16), Proposal(2, 32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both files at their published sizes."""
    folder = tmp_path_factory.mktemp("dwpose")
    pose_network(folder / POSE_FILE)
    detector(folder / DETECTOR_FILE, EVERYBODY)
    return folder


def sky(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), SKY, np.uint8)


Box = tuple[int, int, int, int]


def draw(
    picture: NDArray[np.uint8],
    box: Box,
    person: int = 0,
    leave_out: Sequence[int] = (),
    size: tuple[int, int] = (384, 288),
) -> NDArray[np.float64]:
    """A person who fills `box` (left, top, right, bottom); (18, 2) where the joints are, in OpenPose's order.

    Discs are as large as a network of `size` can see.
    """
    left, top, right, bottom = box
    picture[top:bottom, left:right] = PEOPLE[person]
    places = np.rint(STANDING * [right - left, bottom - top] + [left, top]).astype(int)
    shrunk = 1.25 * max((bottom - top) / size[0], (right - left) / size[1])
    radius = round(max(3, 3 * shrunk, 0.04 * min(right - left, bottom - top)))
    for joint in (joint for joint in range(17) if joint not in leave_out):
        x, y = (int(value) for value in places[joint])
        cv2.circle(picture, (x, y), radius, JOINTS[joint], -1)
    expected = np.zeros((18, 2))
    expected[OPENPOSE] = places
    expected[Joint.NECK] = (expected[Joint.R_SHOULDER] + expected[Joint.L_SHOULDER]) / 2
    return expected


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        (640, 640, (150, 60, 450, 600)),
        (640, 480, (20, 90, 250, 520)),  # left of the middle
        (480, 900, (640, 30, 850, 460)),  # far right in a wide photo
        (1200, 400, (60, 700, 340, 1180)),  # at the bottom of a tall one
        (300, 900, (100, 20, 240, 290)),
        (1000, 1500, (900, 200, 1300, 950)),
        (400, 500, (60, 150, 400, 330)),  # wider than high
        (700, 500, (100, 300, 480, 700)),  # cut off by the photo's edge
    ],
)
def test_every_joint_lands_within_two_pixels(folder: Path, height: int, width: int, box: Box) -> None:
    picture = sky(height, width)
    expected = draw(picture, box)
    (person,) = dwpose_people(picture, folder)
    np.testing.assert_array_less(np.linalg.norm(person.points - expected, axis=1), 2)
    np.testing.assert_array_equal(person.confidence, 1)


@pytest.mark.slow
@settings(QUICK, max_examples=6)
@given(
    height=st.integers(200, 700),
    width=st.integers(200, 700),
    share=st.tuples(*[st.floats(0, 1)] * 2),
    room=st.tuples(*[st.floats(0.5, 0.95)] * 2),
)
def test_whatever_the_sizes_joints_land_where_they_are(
    folder: Path, height: int, width: int, share: tuple[float, float], room: tuple[float, float]
) -> None:
    picture = sky(height, width)
    w, h = round(room[0] * width), round(room[1] * height)
    left, top = round(share[0] * (width - w)), round(share[1] * (height - h))
    expected = draw(picture, (left, top, left + w, top + h))
    (person,) = dwpose_people(picture, folder)
    seen_pixel = 1.25 * max(w / 288, h / 384)
    _check_joints(person, expected, max(2, 1.5 * seen_pixel))


def _check_joints(person: Keypoints, expected: NDArray[np.floating], pixels: float) -> None:
    """The joints that were found are within so many pixels. The stand-in network may miss a few marks in a wide box."""
    seen = person.confidence > 0
    assert seen.sum() >= 14
    assert np.linalg.norm((person.points - expected)[seen], axis=1).max() < pixels


def test_a_large_photo_is_not_sampled_but_averaged(folder: Path) -> None:
    picture = sky(3000, 4000)
    expected = draw(picture, (500, 100, 2000, 2900))
    (person,) = dwpose_people(picture, folder)
    errors = (person.points - expected) / (1.25 * 2800 / 384)  # in pixels that the network sees
    assert np.linalg.norm(errors, axis=1).max() < 1
    assert np.abs(errors.mean(axis=0)).max() < 0.25  # nothing shifts by half a pixel
    lines = sky(1152, 1152)  # every fifth pixel is seen, from row 1 on
    lines[1::5] = JOINTS[0]
    assert dwpose_people(lines, folder / POSE_FILE) == []


def test_people_come_largest_first(folder: Path) -> None:
    picture = sky(600, 1200)
    expected = [
        draw(picture, (40, 200, 180, 480), person=0),
        draw(picture, (300, 20, 640, 590), person=1),
        draw(picture, (800, 100, 1040, 560), person=2),
    ]
    people = dwpose_people(picture, folder)
    assert len(people) == 3
    for person, index in zip(people, (1, 2, 0), strict=True):
        assert np.linalg.norm(person.points - expected[index], axis=1).max() < 2


def test_boxes_that_overlap_are_one_person(tmp_path: Path) -> None:
    picture = sky(640, 640)
    draw(picture, (100, 100, 300, 600))
    doubles = [Proposal(0), Proposal(0, 16, shift=20, objectness=0.8), Proposal(0, 32, shift=-30, objectness=0.7)]
    (box,) = person_boxes(picture, detector(tmp_path / "doubles.onnx", doubles))
    np.testing.assert_allclose(box, (100, 100, 300, 600), atol=2)  # the surest
    apart = [Proposal(0), Proposal(0, 16, shift=120, objectness=0.8)]
    assert len(person_boxes(picture, detector(tmp_path / "apart.onnx", apart))) == 2


def test_only_sure_people_count(tmp_path: Path) -> None:
    picture = sky(400, 500)
    draw(picture, (50, 50, 200, 350))
    picture[100:300, 300:450] = HORSE
    unsure = Proposal(0, objectness=0.32)  # times the class, 0.29
    horse = Proposal(3, 16, label=17)
    assert person_boxes(picture, detector(tmp_path / "nobody.onnx", [unsure, horse])).shape == (0, 4)
    surer = Proposal(0, objectness=0.35)
    assert len(person_boxes(picture, detector(tmp_path / "one.onnx", [surer, horse]))) == 1


def test_boxes_end_at_the_photo_and_the_border_is_not_in_it(tmp_path: Path) -> None:
    picture = sky(320, 640)
    draw(picture, (0, 0, 200, 320))
    (box,) = person_boxes(picture, detector(tmp_path / "left.onnx", [Proposal(0, shift=-50)]))
    np.testing.assert_allclose(box, (0, 0, 150, 320), atol=2)
    assert len(person_boxes(picture, detector(tmp_path / "out.onnx", [Proposal(0, shift=-205)]))) == 0


@pytest.mark.parametrize(("height", "width", "border"), [(320, 640, (600, 320)), (640, 320, (320, 600))])
def test_the_border_is_grey_below_or_right_of_the_photo(
    tmp_path: Path, height: int, width: int, border: tuple[int, int]
) -> None:
    # A detector that is always sure of a box as wide as the blue of one pixel of the border.
    rows = np.zeros((8400, 85), np.float32)
    rows[0, [0, 1, 4, 5]] = 20, 20, 1, 1
    nodes = [
        helper.make_node("Gather", ["pixels", "row"], ["line"], axis=2),
        helper.make_node("Gather", ["line", "column"], ["pixel"], axis=3),
        helper.make_node("Gather", ["pixel", "blue"], ["value"], axis=1),
        helper.make_node("Div", ["value", "eight"], ["cells"]),
        helper.make_node("Log", ["cells"], ["log"]),
        helper.make_node("Reshape", ["log", "flat"], ["width"]),
        helper.make_node("ScatterND", ["grid", "index", "width"], ["filled"]),
        helper.make_node("Unsqueeze", ["filled", "first"], ["output"]),
    ]
    constants = {
        "grid": rows, "row": np.array([border[1]]), "column": np.array([border[0]]), "blue": np.array([0]),
        "eight": floats(8), "flat": np.array([1]), "index": np.array([[0, 2]]), "first": np.array([0]),
    }  # fmt: skip
    file = save(tmp_path / "border.onnx", nodes, constants, (640, 640), "output")
    ((left, _, right, _),) = person_boxes(sky(height, width), file)
    assert right - left == pytest.approx(114, abs=1e-3)


def test_the_network_sees_a_quarter_more_than_the_box(folder: Path) -> None:
    picture = sky(800, 800)
    draw(picture, (250, 200, 550, 600), leave_out=(9, 10))  # 3:4, so that both sides grow alike
    cv2.circle(picture, (250 - 30, 400), 4, JOINTS[9], -1)  # within an eighth of the side
    cv2.circle(picture, (550 + 45, 400), 4, JOINTS[10], -1)  # beyond
    (person,) = dwpose_people(picture, folder)
    assert person.sees(Joint.L_WRIST)
    assert np.linalg.norm(person.points[Joint.L_WRIST] - [220, 400]) < 2
    assert not person.sees(Joint.R_WRIST)


def test_what_is_not_seen_has_no_confidence_nor_place(folder: Path) -> None:
    picture = sky(600, 500)
    draw(picture, (100, 50, 400, 550), leave_out=(0, 5, 16))
    (person,) = dwpose_people(picture, folder)
    hidden = [Joint.NOSE, Joint.L_SHOULDER, Joint.R_ANKLE, Joint.NECK]
    assert sorted(np.flatnonzero(~person.visible)) == sorted(hidden)
    np.testing.assert_array_equal(person.points[hidden], 0)
    np.testing.assert_array_equal(person.confidence[hidden], 0)


def test_the_neck_is_as_sure_as_the_less_sure_shoulder(tmp_path: Path) -> None:
    scores = np.linspace(0.35, 0.95, 17).astype(np.float32)
    scores[[0, 9]] = 0.25, 1.7  # below what counts; above what a confidence may be
    bins_x, bins_y = np.zeros((1, 17, 96), np.float32), np.zeros((1, 17, 128), np.float32)
    bins_x[0, :, 10], bins_y[0, :, 20] = scores + 1, scores  # the lower of both counts
    nodes = [
        helper.make_node("ReduceMin", ["pixels"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "bins_x"], ["simcc_x"]),
        helper.make_node("Add", ["zero", "bins_y"], ["simcc_y"]),
    ]
    constants = {"nothing": floats(0), "bins_x": bins_x, "bins_y": bins_y}
    file = save(tmp_path / "pose.onnx", nodes, constants, (64, 48), "simcc_x", "simcc_y")
    (person,) = dwpose_people(sky(64, 48), file)
    np.testing.assert_allclose(person.confidence[OPENPOSE], np.where(scores > 0.3, scores, 0).clip(0, 1))
    assert person.confidence[Joint.NECK] == person.confidence[[Joint.R_SHOULDER, Joint.L_SHOULDER]].min() > 0.3


def test_nobody_is_an_empty_list(folder: Path) -> None:
    assert dwpose_people(sky(300, 400), folder) == []
    picture = sky(300, 400)
    picture[50:250, 50:200] = PEOPLE[0]  # a box, but nobody in it
    assert dwpose_people(picture, folder) == []


@pytest.mark.slow
@QUICK
@given(
    height=st.integers(120, 500),
    width=st.integers(120, 500),
    size=st.sampled_from([(384, 288), (256, 192), (224, 224), (192, 256)]),
    points=st.sampled_from([17, 26, 133]),
    ratio=st.sampled_from([1, 2, 3]),
)
def test_the_pose_network_alone_takes_the_whole_photo_and_its_own_sizes(
    tmp_path: Path, height: int, width: int, size: tuple[int, int], points: int, ratio: int
) -> None:
    file = pose_network(tmp_path / "any-name.onnx", size, points, ratio)
    picture = sky(height, width)
    expected = draw(picture, (0, 0, width, height), size=size)
    (person,) = dwpose_people(picture, file)
    seen_pixel = 1.25 * max(width / size[1], height / size[0])
    _check_joints(person, expected, max(2, 1.5 * seen_pixel))


@pytest.mark.slow
@QUICK
@given(size=st.sampled_from([(416, 416), (640, 512), (320, 640)]), classes=st.sampled_from([1, 2, 80]))
def test_the_detector_has_its_own_size_and_classes(tmp_path: Path, size: tuple[int, int], classes: int) -> None:
    picture = sky(400, 500)
    draw(picture, (100, 50, 300, 380))
    (box,) = person_boxes(picture, detector(tmp_path / "detector.onnx", EVERYBODY[:2], size, classes))
    np.testing.assert_allclose(box, (100, 50, 300, 380), atol=3)


@settings(QUICK, max_examples=6)
@example(height=1, width=1, seed=0)
@example(height=1, width=3000, seed=1)
@example(height=3000, width=1, seed=2)
@given(height=st.integers(1, 1000), width=st.integers(1, 1000), seed=st.integers(0, 99))
def test_any_photo_gets_an_answer(tmp_path: Path, height: int, width: int, seed: int) -> None:
    if not (tmp_path / POSE_FILE).exists():
        pose_network(tmp_path / POSE_FILE, (128, 96))
        detector(tmp_path / DETECTOR_FILE, EVERYBODY, (320, 320))
    few = np.random.default_rng(seed).choice([*PEOPLE, *JOINTS, SKY], (1 + height // 300, 1 + width // 300))
    picture = cv2.resize(few.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    for source in (tmp_path, tmp_path / POSE_FILE):
        for person in dwpose_people(picture, source):
            assert np.isfinite(person.points).all()
            assert ((person.confidence >= 0) & (person.confidence <= 1)).all()


def broken(folder: Path, kind: str) -> None:
    """One thing wrong with a folder that has both files."""
    pose, boxes = folder / POSE_FILE, folder / DETECTOR_FILE
    if kind == "no detector":
        boxes.unlink()
    elif kind == "no pose":
        pose.unlink()
    elif kind == "empty":
        pose.write_bytes(b"")
    elif kind == "page":
        boxes.write_bytes(b"<html>File not found</html>")
    elif kind == "truncated":
        pose.write_bytes(pose.read_bytes()[:500])
    elif kind == "exchanged":
        pose.write_bytes(boxes.read_bytes())
    elif kind == "pose as detector":
        boxes.write_bytes(pose.read_bytes())


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("no detector", f"has no {DETECTOR_FILE}: put"),
        ("no pose", f"has no {POSE_FILE}: put"),
        ("empty", f"{POSE_FILE} is not a readable ONNX file"),
        ("page", f"{DETECTOR_FILE} is not a readable ONNX file"),
        ("truncated", f"{POSE_FILE} is not a readable ONNX file"),
        ("exchanged", f"{POSE_FILE} has 1 outputs: expected 2"),
        ("pose as detector", f"{DETECTOR_FILE} has 2 outputs: expected 1"),
    ],
)
def test_unusable_files_say_why_in_one_line(folder: Path, tmp_path: Path, kind: str, says: str) -> None:
    for name in (POSE_FILE, DETECTOR_FILE):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    broken(tmp_path, kind)
    with pytest.raises(UserError, match=says) as caught:
        dwpose_people(sky(300, 200), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd"])
@pytest.mark.parametrize("file", ["pose.onnx", "pose", "pose.ort"])
def test_weights_elsewhere_are_not_read_whatever_the_files_name(
    folder: Path, tmp_path: Path, name: str, file: str
) -> None:
    model = onnx.load(folder / POSE_FILE)
    weight = next(tensor for tensor in model.graph.initializer if tensor.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=name)
    (tmp_path / file).write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=f"names the file '{name}', which is not beside it"):
        dwpose_people(sky(300, 200), tmp_path / file)


def test_a_missing_folder_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no .*none: give the folder"):
        dwpose_people(sky(300, 200), tmp_path / "none")


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        (((1, 17, 96), (1, 17, 96)), r"expected SimCC, \(1, points, 48 r\) and \(1, points, 64 r\)"),
        (((1, 17, 128), (1, 17, 96)), "expected SimCC"),  # y before x
        (((1, 21, 96), (1, 21, 128)), "points one of 17, 26, 133"),  # a hand
        (((1, 17, 96), (1, 26, 128)), "expected SimCC"),
        (((2, 17, 96), (2, 17, 128)), "expected SimCC"),
        (((1, 17, 24), (1, 17, 32)), "expected SimCC"),  # heat maps' quarter
        (((17, 96), (17, 128)), "expected SimCC"),
    ],
)
def test_another_pose_networks_answers_are_refused(
    tmp_path: Path, shapes: tuple[tuple[int, ...], ...], says: str
) -> None:
    nodes = [helper.make_node("ReduceMean", ["pixels"], ["mean"], keepdims=0)]
    nodes += [helper.make_node("Expand", ["mean", f"shape_{i}"], [f"answer_{i}"]) for i in range(2)]
    constants = {f"shape_{i}": np.array(shape) for i, shape in enumerate(shapes)}
    file = save(tmp_path / "other.onnx", nodes, constants, (64, 48), "answer_0", "answer_1")
    with pytest.raises(UserError, match=says):
        dwpose_people(sky(300, 200), file)


@pytest.mark.parametrize("shape", [(1, 8399, 85), (1, 8400, 5), (8400, 85), (1, 100, 5)])
def test_another_detectors_answers_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["mean"], keepdims=0),
        helper.make_node("Expand", ["mean", "shape"], ["answer"]),
    ]
    file = save(tmp_path / "other.onnx", nodes, {"shape": np.array(shape)}, (640, 640), "answer")
    with pytest.raises(UserError, match=r"expected \(1, 8400, 5 \+ classes\)"):
        person_boxes(sky(300, 200), file)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (TensorProto.FLOAT, [1, 384, 288, 3]),
        (TensorProto.FLOAT, [1, 1, 384, 288]),
        (TensorProto.FLOAT, [4, 3, 384, 288]),
        (TensorProto.FLOAT, [1, 3, "height", "width"]),
        (TensorProto.FLOAT, [3, 384, 288]),
        (TensorProto.UINT8, [1, 3, 384, 288]),
    ],
)
def test_another_input_is_refused(tmp_path: Path, kind: int, shape: list[int | str]) -> None:
    names = ("one", "two")
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], [name]) for name in names],
        "other",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, shape) for name in names],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(UserError, match=r"expected one tensor\(float\) \(1, 3, height, width\) of fixed size"):
        dwpose_people(sky(300, 200), tmp_path / "other.onnx")


def test_the_folder_may_lie_below_the_one_that_is_named_or_in_a_cache(folder: Path, tmp_path: Path) -> None:
    """FASHN's `weights/` has it as `dwpose`; Hugging Face's cache keeps links to blobs."""
    from lite_vton.person.dwpose import _file_in

    snapshot = tmp_path / "models--yzd-v--DWPose/snapshots/abc"
    for place in (tmp_path / "weights/dwpose", snapshot):
        place.mkdir(parents=True)
        for name in (DETECTOR_FILE, POSE_FILE):
            (place / name).symlink_to(folder / name)
    for named in (tmp_path / "weights", tmp_path / "models--yzd-v--DWPose", snapshot):
        for name in (DETECTOR_FILE, POSE_FILE):
            assert _file_in(named, name).samefile(folder / name)
    pixels = np.zeros((80, 60, 3), np.uint8)
    assert dwpose_people(pixels, tmp_path / "weights") == dwpose_people(pixels, folder)
