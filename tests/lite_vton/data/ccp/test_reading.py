from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from lite_vton.data.ccp.reading import open_source, read_photo_and_labels
from lite_vton.data.ccp.reasons import Reason
from lite_vton.data.conversion.outcome import DroppedError
from lite_vton.errors import UserError
from tests.lite_vton.data.ccp.drawn_source import LABELS, write_source

PIXELS = np.full((90, 80, 3), 120, np.uint8)
PARSE = np.full((90, 80), 5, np.uint8)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "ccp", {1: (PIXELS, PARSE), 2: (PIXELS, PARSE)})


def reason(folder: Path, name: str) -> str:
    with pytest.raises(DroppedError) as caught:
        read_photo_and_labels(open_source(folder), name)
    return caught.value.reason


def test_a_photo_comes_with_its_labels(source: Path) -> None:
    opened = open_source(source)
    assert (opened.names, list(opened.labels)) == (("0001", "0002"), LABELS)
    photo, labels = read_photo_and_labels(opened, "0001")
    assert (photo.height, photo.width) == (90, 80)
    np.testing.assert_array_equal(labels, PARSE)


@pytest.mark.parametrize("part", ["photos", "annotations/pixel-level", "label_list.mat"])
def test_what_a_folder_lacks_is_named(source: Path, part: str) -> None:
    path = source / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError, match=part):
        open_source(source)


def test_no_folder_and_one_without_photos_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no numbered photos"):
        open_source(write_source(tmp_path / "empty", {}))


def test_a_photo_without_a_parse_and_a_parse_without_a_photo_are_dropped(source: Path) -> None:
    (source / "annotations/pixel-level/0001.mat").unlink()
    (source / "photos/0002.jpg").unlink()
    assert reason(source, "0001") == Reason.NO_PARSE
    assert reason(source, "0002") == Reason.NO_PHOTO


def test_a_photo_that_is_cut_off_is_dropped(source: Path) -> None:
    path = source / "photos/0001.jpg"
    path.write_bytes(path.read_bytes()[:300])
    assert reason(source, "0001") == Reason.BROKEN_PHOTO


def test_a_parse_of_another_size_is_dropped(source: Path) -> None:
    savemat(source / "annotations/pixel-level/0001.mat", {"groundtruth": PARSE.T})
    assert reason(source, "0001") == Reason.SIZES


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"something": PARSE}, Reason.BROKEN_PARSE),
        ({"groundtruth": "text"}, Reason.BROKEN_PARSE),
        ({"groundtruth": np.zeros((0, 0))}, Reason.BROKEN_PARSE),
        ({"groundtruth": np.full((90, 80), 59)}, Reason.UNKNOWN_LABEL),
        ({"groundtruth": np.full((90, 80), -1.0)}, Reason.UNKNOWN_LABEL),
        ({"groundtruth": np.full((90, 80), np.nan)}, Reason.UNKNOWN_LABEL),
        ({"groundtruth": np.full((90, 80), 0.5)}, Reason.UNKNOWN_LABEL),
    ],
)
def test_a_parse_that_is_none_is_dropped(source: Path, content: dict[str, object], expected: Reason) -> None:
    savemat(source / "annotations/pixel-level/0001.mat", content)
    assert reason(source, "0001") == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 400), st.binary(max_size=40), st.booleans())
def test_whatever_bytes_a_parse_has_it_is_read_or_dropped(source: Path, at: int, junk: bytes, cut: bool) -> None:
    whole = (source / "annotations/pixel-level/0002.mat").read_bytes()
    rest = b"" if cut else whole[at + len(junk) :]
    (source / "annotations/pixel-level/0001.mat").write_bytes(whole[:at] + junk + rest)
    try:
        _, labels = read_photo_and_labels(open_source(source), "0001")
    except DroppedError:
        return
    assert labels.shape == (90, 80)
    assert labels.max() < len(LABELS)


def test_a_list_of_labels_that_cannot_be_read_is_a_user_error(source: Path) -> None:
    (source / "label_list.mat").write_bytes(b"no MATLAB file")
    with pytest.raises(UserError, match="label_list"):
        open_source(source)
    savemat(source / "label_list.mat", {"names": 1})
    with pytest.raises(UserError, match="holds no label_list"):
        open_source(source)
