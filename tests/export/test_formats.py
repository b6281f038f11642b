from __future__ import annotations

import sys

import pytest

from lite_vton.errors import UserError
from lite_vton_export.formats import FORMATS, known_format, load_attribute, require
from lite_vton_export.parity.gates import GATES, gate


def test_every_row_names_things_that_exist_and_has_a_gate() -> None:
    for row in FORMATS.values():
        for path in (row.exporter, row.reader, row.runtime, row.layout, row.readback):
            assert path is None or callable(load_attribute(path))
        assert set(row.precisions) <= set(GATES)


def test_a_misspelt_format_gets_the_nearest_one() -> None:
    with pytest.raises(UserError, match="did you mean 'onnx'"):
        require(["onx"], ["fp32"])
    with pytest.raises(UserError, match="choose one of"):
        require(["pickle"], ["fp32"])


def test_a_precision_the_format_lacks_is_refused() -> None:
    with pytest.raises(UserError, match="'fp8'"):
        require(["onnx"], ["fp32", "fp8"])


def test_of_two_packages_that_will_do_both_are_named_where_neither_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("tensorrt_rtx", "tensorrt"):
        monkeypatch.setitem(sys.modules, package, None)  # how Python marks a module that is not there
    with pytest.raises(UserError, match=r"needs .*tensorrt_rtx or tensorrt: pip install 'lite-vton\[tensorrt\]'"):
        require(["tensorrt"], ["fp16"])


def test_nothing_to_do_is_an_error() -> None:
    with pytest.raises(UserError, match="nothing to export"):
        require(["onnx"], [])


def test_each_pair_comes_once_in_the_order_asked() -> None:
    pairs = require(["onnx", "onnx"], ["fp16", "fp32", "fp16"])
    assert [(row.name, precision) for row, precision in pairs] == [("onnx", "fp16"), ("onnx", "fp32")]


def test_an_artifact_of_a_later_version_is_named() -> None:
    with pytest.raises(UserError, match="'later'"):
        known_format("later")


def test_a_gate_can_be_moved_but_not_invented() -> None:
    assert gate("fp16", min_psnr=12.0).psnr_db == 12.0
    assert gate("fp16", min_psnr=12.0).cosine == GATES["fp16"].cosine
    with pytest.raises(UserError, match="no gate"):
        gate("fp8")
