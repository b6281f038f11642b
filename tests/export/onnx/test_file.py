"""An ONNX model's weights are in its file, or beside it where they are too large for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

import lite_vton_export.onnx.file
from lite_vton_export.onnx.file import save_onnx, weights_beside

WEIGHTS = np.arange(2048, dtype=np.float32).reshape(2, 1024)


def model() -> onnx.ModelProto:
    given = helper.make_tensor_value_info("given", onnx.TensorProto.FLOAT, [1, 2])
    gives = helper.make_tensor_value_info("gives", onnx.TensorProto.FLOAT, [1, 1024])
    node = helper.make_node("MatMul", ["given", "weights"], ["gives"])
    graph = helper.make_graph([node], "product", [given], [gives], [numpy_helper.from_array(WEIGHTS, "weights")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


@pytest.mark.parametrize("beside", [False, True])
def test_weights_above_the_bound_go_beside_the_file_and_are_read_from_there(
    beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lite_vton_export.onnx.file, "_ONE_FILE", WEIGHTS.nbytes - 1 if beside else WEIGHTS.nbytes)
    path = tmp_path / "model.onnx"
    save_onnx(model(), path)
    assert weights_beside(path).is_file() == beside
    assert (path.stat().st_size < WEIGHTS.nbytes) == beside
    assert np.array_equal(numpy_helper.to_array(onnx.load(path).graph.initializer[0]), WEIGHTS)
    ones = np.ones((1, 2), np.float32)
    (found,) = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"given": ones})
    assert np.array_equal(found, ones @ WEIGHTS)
