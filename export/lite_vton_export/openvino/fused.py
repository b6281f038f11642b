"""OpenVINO's form of a whole try-on, put together from the component files of `openvino-<precision>`.

What lies between the networks is converted from ONNX once (`lite_vton_export.onnx.fused_glue`), with a gap for every
call of one; then each gap is filled with the component's own graph, so that precision and quantisation are the
component's. The steps are written out one after the other: OpenVINO (2026.4) stores equal weights once in the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino as ov
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from lite_vton.atomic import scratch_folder
from lite_vton.bundle import ComponentTensors, TensorSpec, compact_metadata
from lite_vton.presets.config import ModelConfig
from lite_vton_export.fused.parts import Fused, Parts
from lite_vton_export.fused.tensors import fused_tensors
from lite_vton_export.onnx.fused_glue import Glue, composite, encoded
from lite_vton_export.openvino.write import root_logger_kept
from lite_vton_runtimes.openvino.runtime import read
from lite_vton_runtimes.sampling.schedule import alpha_bar, timesteps

__all__ = ["write_fused_openvino"]


@dataclass(frozen=True)
class _Call:
    """One gap: the component that goes there, which value each of its inputs is, and what its answer is called."""

    component: str
    given: dict[str, str]
    answer: str


def write_fused_openvino(parts: Parts, folder: Path) -> Fused:
    """`model.xml` and `model.bin`, with the steps of the golden trajectory."""
    config = parts.config
    tensors = fused_tensors(config, "openvino", parts.steps)
    model = _filled(parts, tensors)
    for key, value in compact_metadata(
        config, component="try_on", precision=parts.artifact.precision, latent_scale=parts.latent_scale
    ).items():
        model.set_rt_info(value, ["lite_vton", key])
    path = folder / "model.xml"
    ov.save_model(model, path, compress_to_fp16=False)
    return Fused(path, tensors, parts.steps)


def _filled(parts: Parts, tensors: ComponentTensors) -> ov.Model:
    networks = {name: read(file) for name, file in parts.files.items()}
    glue, calls = _with_gaps(parts.config, parts.latent_scale, parts.steps, tensors, networks)
    skeleton = _converted(glue)
    skeleton.set_rt_info({}, ["framework"])
    # By every name: what only hands a value on, OpenVINO drops, and the value has both names then.
    parameters = {name: one for one in skeleton.get_parameters() for name in one.output(0).get_names()}
    sources = {name: port for port in skeleton.outputs for name in port.get_names()}
    answers: dict[str, Any] = {}  # tokens go from network to network, and nothing of the glue has taken them
    for call in calls:
        part = _renamed(networks[call.component].clone(), call.answer)
        for number, parameter in enumerate(part.get_parameters()):
            name = next(name for name in call.given if name in part.input(number).get_names())
            given = call.given[name]
            if given in answers:
                source = answers[given]
            elif given in parameters:
                source = parameters[given].output(0)
            else:
                source = sources[given].get_node().input_value(0)
            for port in parameter.output(0).get_target_inputs():
                port.replace_source_output(source)
        (answer,) = part.get_results()
        value = answers[call.answer] = answer.input_value(0)
        for port in parameters[call.answer].output(0).get_target_inputs():
            port.replace_source_output(value)
    finished = [sources[spec.name].get_node() for spec in tensors.outputs]
    return ov.Model(finished, [parameters[spec.name] for spec in tensors.inputs], f"{parts.config.name} try_on")


def _renamed(part: ov.Model, call: str) -> ov.Model:
    """Each operation called after the call it belongs to; weights keep their names, which all calls share."""
    for node in part.get_ops():
        if node.get_type_name() != "Constant":
            node.set_friendly_name(f"{call}/{node.get_friendly_name()}")
    return part


def _converted(glue: onnx.ModelProto) -> ov.Model:
    with scratch_folder() as temporary, root_logger_kept():
        source = temporary / "model.onnx"
        onnx.save(glue, source)
        return ov.convert_model(source)


def _with_gaps(
    config: ModelConfig, latent_scale: float, steps: int, tensors: ComponentTensors, networks: dict[str, ov.Model]
) -> tuple[onnx.ModelProto, list[_Call]]:
    """The try-on without its networks: their answers are inputs, what they are given are outputs; calls in order."""
    graph = onnx.GraphProto(name="glue")
    calls: list[_Call] = []
    tokens = {}
    if "image_encoder" in networks:
        calls.append(_Call("image_encoder", {"pixel_values": "garment"}, "tokens"))
        tokens["encoder_hidden_states"] = "tokens"
    glue = encoded(config, latent_scale)
    _add(graph, glue.before)
    calls += [_Call("vae_encoder", {"sample": pictures}, f"moments_{n}") for n, pictures in enumerate(glue.calls)]
    _add(graph, glue.after)
    visited = timesteps(config.schedule, steps)
    levels = [*alpha_bar(config.schedule)[visited].tolist(), 1.0]
    _add(graph, _start(levels[0]))
    for number, timestep in enumerate(visited.tolist()):
        given = {"sample": f"sample_{number}", "timestep": f"timestep_{number}", **tokens}
        calls.append(_Call("unet", given, f"eps_{number}"))
        _add(graph, _step(number, timestep, levels[number], levels[number + 1]))
    for latent, picture in (("masked_person_latent", "reconstruction"), (f"x_{steps}", "decoded_picture")):
        _add(graph, Glue(f"{picture}_latent = Div({latent}, latent_scale)"))
        calls.append(_Call("vae_decoder", {"latent_sample": f"{picture}_latent"}, picture))
    _add(graph, Glue("decoded = Identity(decoded_picture)"))
    _add(graph, composite(config))
    for spec in tensors.inputs:
        graph.input.append(_declared(spec))
    for spec in tensors.outputs:
        graph.output.append(_declared(spec))
    made = {name for node in graph.node for name in node.output} | {tensor.name for tensor in graph.initializer}
    for call in calls:
        model = networks[call.component]
        shape = list(model.output(0).get_shape())
        graph.input.append(helper.make_tensor_value_info(call.answer, onnx.TensorProto.FLOAT, shape))
        for name, value in call.given.items():
            if value in made:
                kind = onnx.TensorProto.INT64 if name == "timestep" else onnx.TensorProto.FLOAT
                graph.output.append(helper.make_tensor_value_info(value, kind, list(model.input(name).get_shape())))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), calls


def _start(level: float) -> Glue:
    constants = {"signal_first": _number(level**0.5), "noise_first": _number((1 - level) ** 0.5)}
    text = "kept = Mul(signal_first, masked_person_latent)\ndrawn = Mul(noise_first, noise)\nx_0 = Add(kept, drawn)"
    return Glue(text, constants)


def _step(n: int, timestep: int, now: float, following: float) -> Glue:
    """From `x_<n>` and `eps_<n>` to `x_<n + 1>`, and before that what the U-Net is given."""
    lines = (
        f"sample_{n} = Concat <axis = 1> (x_{n}, conditions)",
        f"timestep_{n} = Identity(visited_{n})",
        f"eps_share_{n} = Mul(noise_now_{n}, eps_{n})",
        f"cleaned_{n} = Sub(x_{n}, eps_share_{n})",
        f"clean_{n} = Div(cleaned_{n}, signal_now_{n})",
        f"clean_share_{n} = Mul(signal_next_{n}, clean_{n})",
        f"eps_next_{n} = Mul(noise_next_{n}, eps_{n})",
        f"x_{n + 1} = Add(clean_share_{n}, eps_next_{n})",
    )
    constants: dict[str, NDArray[Any]] = {
        f"visited_{n}": np.array([timestep], np.int64),
        f"signal_now_{n}": _number(now**0.5),
        f"noise_now_{n}": _number((1 - now) ** 0.5),
        f"signal_next_{n}": _number(following**0.5),
        f"noise_next_{n}": _number((1 - following) ** 0.5),
    }
    return Glue("\n".join(lines), constants)


def _number(value: float) -> NDArray[np.float32]:
    return np.array(value, np.float32)


def _add(graph: onnx.GraphProto, glue: Glue) -> None:
    graph.node.extend(glue.nodes)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in glue.constants.items())


def _declared(spec: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(spec.name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), spec.shape)
