"""A cut's file is read back as it was written, or refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lite_vton.errors import UserError
from lite_vton.garment.cut_file import load_cut, save_cut
from tests.lite_vton.garment.test_cut import flattened, long_sleeved


def test_what_was_written_is_read_and_known(tmp_path: Path) -> None:
    file = tmp_path / "00001_00.json"
    save_cut(file, long_sleeved())
    found = load_cut(file)
    assert found.known
    np.testing.assert_allclose(flattened(found), flattened(long_sleeved()), atol=0.006)


def test_a_garment_without_sleeves_has_none_again(tmp_path: Path) -> None:
    file = tmp_path / "00001_00.json"
    save_cut(file, replace(long_sleeved(), sleeves=(None, None)))
    assert load_cut(file).sleeves == (None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"unit": 0},
        {"unit": float("nan")},
        {"rows": [15.0, 15.0, 150.0]},
        {"sides": [[65.0, 135.0]]},
        {"sides": [[65.0, 135.0], [133.0, 66.0], [60.0, 141.0]]},
        {"hem": -1},
        {"flare": [[0.5, 1.0]]},
        {"flare": [[1.6, 1.0], [1.2, 1.0]]},
        {"sleeves": [None]},
        {"sleeves": [None, {"start": [1, 1], "end": [1, 1], "half": [2, 2], "share": 0.5}]},
        {"top": "high"},
        {"colour": "red"},
    ],
)
def test_what_is_no_cut_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "00001_00.json"
    save_cut(file, long_sleeved())
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(UserError, match=r"00001_00\.json does not tell how its garment is cut") as refused:
        load_cut(file)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="convert the dataset again"):
        load_cut(tmp_path / "none.json")


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_whatever_the_file_holds_the_answer_is_a_cut_or_a_line(content: bytes | str, tmp_path: Path) -> None:
    file = tmp_path / "00001_00.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError):
        load_cut(file)
