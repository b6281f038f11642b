"""fp16 as mixed precision by rule.

Weights and the heavy products (Conv, MatMul, Gemm) become float16; the kinds in `FP32_OPS` and the timestep
embedding stay float32. Inputs and outputs stay float32 too, so that every backend shares one sampler.
The work is onnxruntime's `float16` converter; what is ours is the rule and the checks around it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from lite_vton.errors import UserError

if TYPE_CHECKING:
    import onnx

from lite_vton_export.precision.rules import FP16_MAX, FP32_NODES, FP32_OPS, PRODUCTS

__all__ = ["to_mixed_fp16"]

_SMALL = 64  # numbers: what shapes are computed from has no more


def to_mixed_fp16(model: onnx.ModelProto, keep: Collection[str] = ()) -> onnx.ModelProto:
    """A float32 model with its weights and products in float16; `model` is not to be used afterwards.

    `keep` names nodes that stay in float32 with their weights, beside the kinds that always do: what
    `lite_vton_export.precision.half_safety` found unsafe. The file's metadata names the products among them
    (`FP32_NODES`).
    Raises `UserError` if a weight lies beyond float16's range, instead of clipping it.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    _check_range(model, frozenset(keep))
    _infer_shapes(model)
    converted = OnnxModel(
        convert_float_to_float16(
            model,
            keep_io_types=True,
            op_block_list=list(FP32_OPS),
            node_block_list=[*_timestep_embedding(model), *keep],
            disable_shape_infer=True,
        )
    )
    # The converter casts to float16 and back between two neighbours that both stay float32, which would
    # round the timestep's angles after all.
    converted.remove_cascaded_cast_nodes()
    del converted.model.graph.value_info[:]  # some still name the types of the casts just removed
    converted.remove_useless_cast_nodes()
    converted.topological_sort()  # it appends its casts at the end, which the specification forbids
    result: onnx.ModelProto = converted.model
    kept = [node.name for node in result.graph.node if node.name in keep and node.op_type in PRODUCTS]
    if kept:
        result.metadata_props.add(key=FP32_NODES, value=json.dumps(kept))
    return result


def _check_range(model: onnx.ModelProto, keep: Collection[str]) -> None:
    from onnx import TensorProto, numpy_helper

    halved = {name for node in model.graph.node if node.name not in keep for name in node.input}
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or tensor.name not in halved:
            continue
        largest = float(np.max(np.abs(numpy_helper.to_array(tensor)), initial=0.0))
        if not largest <= FP16_MAX:  # also catches NaN
            raise UserError(
                f"weight {tensor.name!r} reaches {largest:g}, beyond float16's {FP16_MAX:g}: "
                "export fp32, or train with weight decay"
            )


def _infer_shapes(model: onnx.ModelProto) -> None:
    """Put into `model` what type and shape each of its values has, as the converter wants to know.

    onnx's inference (1.22) takes a model as bytes, of which protobuf has 2 GiB at most, and above that gives back an
    empty one (https://github.com/onnx/onnx/issues/6150). So it sees large weights as inputs, by their shape alone.
    """
    import onnx

    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    light.graph.MergeFrom(
        onnx.GraphProto(name="light", node=model.graph.node, input=model.graph.input, output=model.graph.output)
    )
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) > _SMALL:
            light.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        else:
            light.graph.initializer.append(tensor)
    inferred = onnx.shape_inference.infer_shapes(light)
    del model.graph.value_info[:]
    model.graph.value_info.extend(inferred.graph.value_info)


def _timestep_embedding(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes between the integer timestep and the first product, by following the data."""
    from onnx import TensorProto

    reached = {i.name for i in model.graph.input if i.type.tensor_type.elem_type == TensorProto.INT64}
    names: list[str] = []
    for node in model.graph.node:  # in topological order, as the specification wants
        if node.op_type not in PRODUCTS and any(name in reached for name in node.input):
            reached.update(node.output)
            names.append(node.name)
    return names
