from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lite_vton.bundle import Bundle
from lite_vton_export.precision.float_layers import float_layers, linear_layers


def chain() -> onnx.ModelProto:
    """x -> first -> square (x times x) -> middle -> last -> scaled, and a row that is added before `last`."""
    weight = {name: numpy_helper.from_array(np.eye(4, dtype=np.float32), name) for name in ("a", "b", "c", "d")}
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h1"], name="first"),
        helper.make_node("Transpose", ["h1"], ["h2"], name="turn", perm=[1, 0]),
        helper.make_node("MatMul", ["h1", "h2"], ["h3"], name="square"),
        helper.make_node("MatMul", ["h3", "b"], ["h4"], name="middle"),
        helper.make_node("Relu", ["row"], ["r1"], name="act"),
        helper.make_node("MatMul", ["r1", "c"], ["r2"], name="embed"),
        helper.make_node("Add", ["h4", "r2"], ["h5"], name="sum"),
        helper.make_node("MatMul", ["h5", "d"], ["h6"], name="last"),
        helper.make_node("Mul", ["h6", "h6"], ["y"], name="scaled"),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (4, 4)), ("row", (1, 4)))]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, (4, 4))
    return helper.make_model(
        helper.make_graph(nodes, "g", values, [output], list(weight.values())),
        opset_imports=[helper.make_opsetid("", 18)],
    )


def test_ends_rows_and_products_of_activations_stay_float_and_the_middle_does_not() -> None:
    kept = float_layers(chain())
    assert kept == {"first", "square", "act", "embed", "last", "scaled"}
    assert linear_layers(chain()) == {"first", "square", "middle", "embed", "last"}


def test_of_a_real_u_net_most_products_are_left_to_quantise(exported: Bundle) -> None:
    model = onnx.load(exported.path("onnx-fp32/unet/model.onnx"))
    kept = float_layers(model)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    named = {node.name: node.input[1] for node in convolutions}
    assert {named[name] for name in kept if name in named} == {"unet.conv_in.weight", "unet.conv_out.weight"}
    assert len(convolutions) > 10
    attention = [n.name for n in model.graph.node if n.op_type == "MatMul" and n.input[1] not in weights(model)]
    assert attention
    assert set(attention) <= kept


def weights(model: onnx.ModelProto) -> set[str]:
    return {tensor.name for tensor in model.graph.initializer}
