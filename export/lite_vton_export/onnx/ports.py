"""What goes into and comes out of somebody else's ONNX file, put as ours has it: names, shapes, types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lite_vton.bundle import ComponentTensors, TensorSpec
from lite_vton.errors import UserError

if TYPE_CHECKING:
    import onnx

__all__ = ["with_our_ports"]

_RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial")
_TYPES = {"float32": 1, "int64": 7}


def with_our_ports(model: onnx.ModelProto, component: str, tensors: ComponentTensors) -> onnx.ModelProto:
    """The graph with exactly the inputs and outputs of `tensors`, all shapes fixed; `model` is changed.

    A timestep without an axis gets one, or another type; tokens that nothing reads go; a `latent_sample` without its
    log-variance becomes the mean of `latent_parameters`. Raises `UserError` for another number of channels or another
    picture size, tokens that are read, and a graph that draws random numbers.
    """
    from onnxruntime.tools.onnx_model_utils import make_input_shape_fixed

    drawn = [node.op_type for node in model.graph.node if node.op_type in _RANDOM]
    if drawn:
        raise UserError(f"{component} draws random numbers itself ({drawn[0]}): export it with a newer Optimum")
    constants = {tensor.name for tensor in model.graph.initializer}
    given = {value.name: value for value in model.graph.input if value.name not in constants}
    wanted = {spec.name: spec for spec in tensors.inputs}
    for name in set(given) - set(wanted):
        _drop(model, given[name], component)
    for name, spec in wanted.items():
        if name not in given:
            raise UserError(f"{component} takes {', '.join(given)}, and no {name}: it is no try-on's, or was renamed")
        if name == "timestep":
            _timestep(model, given[name], spec)
            continue
        if given[name].type.tensor_type.elem_type != _TYPES[spec.dtype]:
            raise UserError(f"{component} does not take {name} in {spec.dtype}: export it in float32")
        _check_shape(given[name], spec, component)
        make_input_shape_fixed(model.graph, name, list(spec.shape))
    (output,) = tensors.outputs
    _output(model, output, component)
    return _inferred(model, output, component)


def _drop(model: onnx.ModelProto, value: onnx.ValueInfoProto, component: str) -> None:
    if any(value.name in node.input for node in model.graph.node):
        raise UserError(f"{component} reads {value.name}, which a try-on does not have: export a model without it")
    model.graph.input.remove(value)


def _sides(value: onnx.ValueInfoProto) -> list[int | None]:
    """Lengths along the axes; None where it may vary."""
    return [side.dim_value if side.HasField("dim_value") else None for side in value.type.tensor_type.shape.dim]


def _check_shape(value: onnx.ValueInfoProto, spec: TensorSpec, component: str) -> None:
    found = _sides(value)
    if len(found) != len(spec.shape) or any(a not in (None, b) for a, b in zip(found, spec.shape, strict=True)):
        raise UserError(
            f"{component} takes {spec.name} as {_words(found)}, a try-on {_words(spec.shape)}"
            f"{f' ({spec.meaning})' if spec.meaning else ''}: choose another preset or source"
        )


def _words(sides: Sequence[int | None]) -> str:
    return "x".join("any" if side is None else str(side) for side in sides) or "a scalar"


def _timestep(model: onnx.ModelProto, value: onnx.ValueInfoProto, spec: TensorSpec) -> None:
    """Ours has one axis of one, int64: whatever the graph wants is made of it."""
    from onnx import TensorProto, helper, numpy_helper

    sides, kind = _sides(value), value.type.tensor_type.elem_type
    if len(sides) == 1 and kind == TensorProto.INT64:
        value.CopyFrom(helper.make_tensor_value_info(spec.name, TensorProto.INT64, spec.shape))
        return
    import numpy as np

    inner = f"{spec.name}.theirs"
    _rename(model, spec.name, inner)

    shape = numpy_helper.from_array(np.array(() if not sides else (1,), np.int64), f"{spec.name}.shape")
    model.graph.initializer.append(shape)
    reshaped = helper.make_node("Reshape", [spec.name, shape.name], [f"{spec.name}.reshaped"], "timestep_reshape")
    cast = helper.make_node("Cast", [f"{spec.name}.reshaped"], [inner], "timestep_cast", to=kind)
    for node in (cast, reshaped):
        model.graph.node.insert(0, node)
    value.CopyFrom(helper.make_tensor_value_info(spec.name, TensorProto.INT64, spec.shape))


def _rename(model: onnx.ModelProto, name: str, new: str) -> None:
    """Call a value within the graph otherwise, wherever it is made or read."""
    for node in model.graph.node:
        for names in (node.input, node.output):
            for index, found in enumerate(names):
                if found == name:
                    names[index] = new


def _output(model: onnx.ModelProto, spec: TensorSpec, component: str) -> None:
    """Leave the one output of ours; a mean alone gets the log-variance of a distribution that is all mean."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    names = [value.name for value in model.graph.output]
    if spec.name not in names and spec.name == "latent_parameters" and "latent_sample" in names:
        _rename(model, spec.name, f"{spec.name}.theirs")  # within, it may be called so
        n, channels, height, width = spec.shape
        constant = numpy_helper.from_array(np.full((n, channels // 2, height, width), -30, np.float32), "log_variance")
        model.graph.initializer.append(constant)
        joined = helper.make_node("Concat", ["latent_sample", "log_variance"], [spec.name], "join_moments", axis=1)
        model.graph.node.append(joined)
    elif spec.name not in names:
        raise UserError(f"{component} gives {', '.join(names)}, and no {spec.name}: it is no try-on's, or was renamed")
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, None))


def _inferred(model: onnx.ModelProto, spec: TensorSpec, component: str) -> onnx.ModelProto:
    """With the shapes that follow from the inputs', the output's among them; what was dynamic before is forgotten."""
    from onnx import TensorProto, helper, shape_inference

    del model.graph.value_info[:]
    found = shape_inference.infer_shapes(model, data_prop=True)
    sides = _sides(found.graph.output[0])
    if len(sides) not in (0, len(spec.shape)) or any(
        side not in (None, wanted) for side, wanted in zip(sides, spec.shape, strict=False)
    ):
        raise UserError(f"{component} gives {spec.name} as {_words(sides)}, a try-on {_words(spec.shape)}")
    found.graph.output[0].CopyFrom(helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape))
    return found
