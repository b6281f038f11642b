from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton_export.onnx.half import to_mixed_fp16
from lite_vton_export.onnx.precision import found_precision
from lite_vton_export.precision.rules import FP32_OPS

pytestmark = pytest.mark.slow


def product(weight: np.ndarray, *before: onnx.NodeProto) -> onnx.ModelProto:
    """x (1, 2) times a weight `w` (2, 2), after any nodes that make `w` from `stored`."""
    stored = numpy_helper.from_array(weight, "stored" if before else "w")
    kind = TensorProto.FLOAT if before else stored.data_type
    graph = helper.make_graph(
        [*before, helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "g",
        [helper.make_tensor_value_info("x", kind, (1, 2))],
        [helper.make_tensor_value_info("y", kind, (1, 2))],
        [stored],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def saved(tmp_path: Path, model: onnx.ModelProto) -> Path:
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.mark.parametrize(("dtype", "precision"), [(np.float32, "fp32"), (np.float16, "fp16")])
def test_the_precision_is_that_of_the_weights(tmp_path: Path, dtype: type, precision: str) -> None:
    assert found_precision(saved(tmp_path, product(np.eye(2, dtype=dtype)))) == precision


def test_half_weights_widened_before_use_compute_in_fp32(tmp_path: Path) -> None:
    cast = helper.make_node("Cast", ["stored"], ["w"], to=TensorProto.FLOAT)
    assert found_precision(saved(tmp_path, product(np.eye(2, dtype=np.float16), cast))) == "fp32"


def test_dequantised_weights_alone_are_w8_and_with_rounded_activations_int8(tmp_path: Path) -> None:
    model = product(np.eye(2, dtype=np.int8), helper.make_node("DequantizeLinear", ["stored", "scale"], ["w"]))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.1), "scale"))
    assert found_precision(saved(tmp_path, model)) == "w8"
    rounding = (
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["steps"]),
        helper.make_node("DequantizeLinear", ["steps", "scale", "zero"], ["rounded"]),
    )
    model.graph.initializer.append(numpy_helper.from_array(np.int8(0), "zero"))
    nodes = [*rounding, *model.graph.node]
    nodes[-1].input[0] = "rounded"
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    assert found_precision(saved(tmp_path, model)) == "int8"


def test_two_precisions_are_called_mixed_and_no_product_none(tmp_path: Path) -> None:
    model = product(np.eye(2, dtype=np.float32))
    model.graph.initializer.append(numpy_helper.from_array(np.eye(2, dtype=np.float16), "v"))
    model.graph.node.append(helper.make_node("MatMul", ["half", "v"], ["z"]))
    assert found_precision(saved(tmp_path, model)) == "mixed fp16/fp32"
    del model.graph.node[:]
    assert found_precision(saved(tmp_path, model)) == "none"


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\xff" * 100)
    for name in ("model.onnx", "absent.onnx"):
        with pytest.raises(UserError, match="not a readable ONNX file"):
            found_precision(tmp_path / name)


@pytest.mark.parametrize("value", [65520.0, -1e6, np.inf, np.nan])
def test_a_weight_beyond_float16_is_an_error_and_not_clipped(value: float) -> None:
    with pytest.raises(UserError, match="beyond float16"):
        to_mixed_fp16(product(np.array([[1, value], [0, 1]], np.float32)))


def test_the_largest_float16_still_fits() -> None:
    model = to_mixed_fp16(product(np.array([[1, 65504.0], [0, 1]], np.float32)))
    (weight,) = model.graph.initializer
    assert numpy_helper.to_array(weight).dtype == np.float16
    assert numpy_helper.to_array(weight).max() == 65504.0


def half_unet(exported: Bundle) -> onnx.ModelProto:
    return onnx.shape_inference.infer_shapes(onnx.load(exported.path("onnx-fp16/unet/model.onnx")))


def types(model: onnx.ModelProto) -> dict[str, int]:
    values = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    known = {value.name: value.type.tensor_type.elem_type for value in values}
    return known | {i.name: i.data_type for i in model.graph.initializer}


def test_the_kinds_of_the_table_compute_in_fp32_and_the_products_in_fp16(exported: Bundle) -> None:
    model = half_unet(exported)
    known = types(model)
    kept = [node for node in model.graph.node if node.op_type in FP32_OPS]
    assert {"InstanceNormalization", "LayerNormalization", "Softmax", "Sin", "Cos"} <= {n.op_type for n in kept}
    for node in kept:
        assert {known[name] for name in node.input if name} == {TensorProto.FLOAT}, node.name
    products = [node for node in model.graph.node if node.op_type in ("Conv", "MatMul", "Gemm")]
    for node in products:
        assert {known[name] for name in node.input if name} == {TensorProto.FLOAT16}, node.name


def test_the_angle_of_the_timestep_is_never_rounded_to_half(exported: Bundle) -> None:
    model = half_unet(exported)
    maker = {name: node for node in model.graph.node for name in node.output}
    known = types(model)
    waiting = [name for node in model.graph.node if node.op_type in ("Sin", "Cos") for name in node.input]
    assert waiting
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        assert known.get(name) != TensorProto.FLOAT16, name
        if name in maker and name not in seen:
            waiting.extend(maker[name].input)
        seen.add(name)


def test_no_large_weight_stays_in_fp32(exported: Bundle) -> None:
    graph = half_unet(exported).graph
    # What is looked up by timestep is no weight.
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    sizes = {TensorProto.FLOAT: 0, TensorProto.FLOAT16: 0}
    for weight in graph.initializer:
        if weight.data_type in sizes and weight.name not in tables:
            sizes[weight.data_type] += int(np.prod(weight.dims))
    assert sizes[TensorProto.FLOAT] < 0.02 * sizes[TensorProto.FLOAT16]
