"""MATLAB files are read as SciPy reads them, and what would end its process is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from lite_vton.data.ccp.matlab import read_variable
from lite_vton.errors import UserError

NAMES = np.array([["null", "hair", "skin"]], dtype=object)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("value", [np.eye(9, dtype=np.uint8), np.ones((2, 3)) * 0.5, np.full((2, 2), 1j), NAMES])
def test_what_was_saved_is_read(tmp_path: Path, value: np.ndarray, packed: bool) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"other": 1, "v": value}, do_compression=packed)
    found = read_variable(file, "v")
    assert found.shape == value.shape
    if value.dtype == object:
        assert [str(cell[0]) for cell in found.ravel()] == list(value.ravel())
    else:
        assert np.array_equal(found, value)
    with pytest.raises(UserError, match="holds no w"):
        read_variable(file, "w")


@pytest.mark.parametrize(
    ("at", "byte"),
    [
        (0xB0, 0xC8),  # the numbers' kind, which SciPy takes for an index
        (0x91, 0x08),  # said to be complex, but with real parts alone
        (0x90, 0x02),  # a struct
        (0xA3, 0x70),  # two thousand million rows
        (0x80, 0x0D),  # no matrix at all
        (0x7F, 0x00),  # no order of bytes
        (0x00, 0x00),  # version 4
    ],
)
def test_what_ends_scipys_process_is_refused(tmp_path: Path, at: int, byte: int) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"v": np.eye(9, dtype=np.uint8)})
    content = bytearray(file.read_bytes())
    content[at] = byte
    file.write_bytes(content)
    with pytest.raises(UserError, match="should be a MATLAB file"):
        read_variable(file, "v")


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 500), st.binary(max_size=8), st.booleans())
def test_a_list_of_cells_of_whatever_bytes_is_read_or_refused(tmp_path: Path, at: int, junk: bytes, cut: bool) -> None:
    file = tmp_path / "a.mat"
    savemat(file, {"v": NAMES})
    whole = file.read_bytes()
    file.write_bytes(whole[:at] + junk + (b"" if cut else whole[at + len(junk) :]))
    with suppress(UserError):
        assert read_variable(file, "v").dtype == object
