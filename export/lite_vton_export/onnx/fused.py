"""One ONNX graph for a whole try-on, put together from a bundle's own component files.

The networks go in node by node as they are, so that each is in the precision its file was checked for. The U-Net is the
body of a Loop and holds its weights there once, however many steps there are; what of it depends on neither the noisy
latent nor the timestep, such as what attention makes of the garment's tokens, is computed before the loop. The decoder
is there twice, for the picture and for the pasted warp whose detail is carried over, and shares one set of weights.
Between them stands `lite_vton_export.onnx.fused_glue`, the sampler of `runtimes` in ONNX's own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lite_vton.bundle import TensorSpec, compact_metadata
from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig
from lite_vton_export.fused.parts import Fused, Parts
from lite_vton_export.fused.tensors import fused_tensors
from lite_vton_export.onnx.file import weights_beside
from lite_vton_export.onnx.fused_glue import Glue, composite, encoded, fixed_schedule, loop, noised, schedule
from lite_vton_export.precision.rules import FP32_NODES

__all__ = ["fuse_onnx", "write_fused_onnx"]

_LATENT = "x"
_CONDITIONS = "conditions"


def write_fused_onnx(parts: Parts, folder: Path) -> Fused:
    """`model.onnx` of an `onnx-<precision>` artifact, steps an input, and its weights in `model.onnx.data` beside it.

    Beside it, since ONNX Runtime maps such a file: read as one message, all weights are in memory twice at the start.
    """
    config = parts.config
    model = fuse_onnx(parts.files, config, parts.latent_scale)
    metadata = compact_metadata(
        config, component="try_on", precision=parts.artifact.precision, latent_scale=parts.latent_scale
    )
    for key, value in metadata.items():
        model.metadata_props.add(key=f"lite_vton.{key}", value=value)
    path = folder / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location=weights_beside(path).name)
    weights_beside(path).chmod(path.stat().st_mode)  # onnx (1.22) makes it the owner's alone
    onnx.checker.check_model(str(path), full_check=True)
    return Fused(path, fused_tensors(config, "onnx"), None)


def fuse_onnx(
    files: Mapping[str, Path], config: ModelConfig, latent_scale: float, steps: int | None = None
) -> onnx.ModelProto:
    """The model that takes and gives the tensors of `lite_vton_export.fused.tensors`, of one ONNX file a component.

    With `steps` the loop makes so many, and its coefficients are constants; without, they are an input, and the
    schedule is computed in the graph. Sampling is DDIM. Raises `UserError` for networks with branches of their own.
    """
    tensors = fused_tensors(config, "onnx", steps)
    networks = {name: _opened(name, path) for name, path in files.items()}
    graph = onnx.GraphProto(name=f"{config.name} try_on")
    graph.input.extend(_declared(spec) for spec in tensors.inputs)
    graph.output.extend(_declared(spec) for spec in tensors.outputs)

    tokens = {}
    if "image_encoder" in networks:
        graph.node.extend(networks["image_encoder"].call("image_encoder", {"pixel_values": "garment"}, "tokens"))
        tokens["encoder_hidden_states"] = "tokens"
    glue = encoded(config, latent_scale)
    _add(graph, glue.before)
    for number, pictures in enumerate(glue.calls):
        nodes = networks["vae_encoder"].call(f"vae_encoder.{number}", {"sample": pictures}, f"moments_{number}")
        graph.node.extend(nodes)
    _add(graph, glue.after)
    _add(graph, schedule(config.schedule) if steps is None else fixed_schedule(config.schedule, steps))
    _add(graph, noised())
    _add_loop(graph, networks["unet"], config, tokens)
    for latent, picture in (("masked_person_latent", "reconstruction"), ("sampled", "decoded")):
        _add(graph, Glue(f"{latent}_unscaled = Div({latent}, latent_scale)"))
        given = {"latent_sample": f"{latent}_unscaled"}
        graph.node.extend(networks["vae_decoder"].call(f"vae_decoder.{picture}", given, picture))
    _add(graph, composite(config))
    for name, network in networks.items():
        if name != "unet":
            graph.initializer.extend(network.model.graph.initializer)
    model = helper.make_model(
        graph,
        opset_imports=_opsets(networks.values()),
        ir_version=max(network.model.ir_version for network in networks.values()),
        producer_name="lite-vton",
    )
    kept = [name for network in networks.values() for name in network.kept_in_float32]
    if kept:
        model.metadata_props.add(key=FP32_NODES, value=json.dumps(kept))
    return model


@dataclass(frozen=True)
class _Network:
    """A component's model, whose weights have names of their own already."""

    name: str
    model: onnx.ModelProto

    def call(self, call: str, given: Mapping[str, str], answer: str) -> list[onnx.NodeProto]:
        """Copies of its nodes that take the values of `given` by its inputs' names, and give `answer`.

        What lies between them is called `call/<name>`.
        """
        known = {tensor.name: tensor.name for tensor in self.model.graph.initializer} | {"": ""} | dict(given)
        known[self.model.graph.output[0].name] = answer

        def named(value: str) -> str:
            return str(known.get(value, f"{call}/{value}"))

        nodes = []
        for node in self.model.graph.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name = f"{call}/{node.name}"
            copy.input[:] = [named(value) for value in node.input]
            copy.output[:] = [named(value) for value in node.output]
            nodes.append(copy)
        return nodes

    @property
    def kept_in_float32(self) -> list[str]:
        """Its products that are in float32 on purpose, by their names in the fused graph."""
        said: dict[str, str] = {entry.key: entry.value for entry in self.model.metadata_props}
        return [f"{self.name}/{node}" for node in json.loads(said.get(FP32_NODES, "[]"))]


def _opened(name: str, path: Path) -> _Network:
    model = onnx.load(path)
    if any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute) or model.functions:
        raise UserError(f"{name} has branches or functions of its own: export it with lite-vton to have it fused")
    own = {tensor.name for tensor in model.graph.initializer}
    for tensor in model.graph.initializer:
        tensor.name = f"{name}/{tensor.name}"
    for node in model.graph.node:
        node.input[:] = [f"{name}/{value}" if value in own else value for value in node.input]
    return _Network(name, model)


def _add_loop(graph: onnx.GraphProto, unet: _Network, config: ModelConfig, tokens: Mapping[str, str]) -> None:
    """`sampled`, the latent after all steps, from `noisy`, by the U-Net and one DDIM step in a Loop."""
    step = loop()
    nodes = unet.call("unet", {"sample": "unet_sample", "timestep": "timestep", **tokens}, "eps")
    before, inside = _split(nodes, {"unet_sample", "timestep"}, set(tokens.values()))
    graph.node.extend(before)
    shared = {value for node in before for value in node.input}
    body = onnx.GraphProto(name="step")
    _add(body, step.before)
    body.node.extend(inside)
    _add(body, step.after)
    body.input.append(helper.make_tensor_value_info("iteration", onnx.TensorProto.INT64, []))
    body.input.append(helper.make_tensor_value_info("go_on", onnx.TensorProto.BOOL, []))
    body.output.append(helper.make_tensor_value_info("going_on", onnx.TensorProto.BOOL, []))
    for name, side in ((_LATENT, body.input), ("x_prev", body.output)):
        side.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, config.latent_shape))
    for name, side in (("index", body.input), ("index_next", body.output)):
        side.append(helper.make_tensor_value_info(name, onnx.TensorProto.INT64, []))
    for tensor in unet.model.graph.initializer:
        (graph if tensor.name in shared else body).initializer.append(tensor)
    # TensorRT (1.7) refuses a loop without a condition.
    graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    graph.node.append(
        helper.make_node("Loop", ["", "always", "noisy", "zero"], ["sampled", "made"], name="sampling", body=body)
    )


def _split(
    nodes: Iterable[onnx.NodeProto], changing: set[str], tokens: set[str]
) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """What of a step depends on the tokens alone, and all else; nodes without either stay where their weights are."""
    reached, from_tokens = set(changing), set(tokens)
    before, inside = [], []
    for node in nodes:  # in topological order, as the specification wants
        if not reached.intersection(node.input) and from_tokens.intersection(node.input):
            from_tokens.update(node.output)
            before.append(node)
        else:
            if reached.intersection(node.input):
                reached.update(node.output)
            inside.append(node)
    return before, inside


def _add(graph: onnx.GraphProto, glue: Glue) -> None:
    graph.node.extend(glue.nodes)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in glue.constants.items())


def _opsets(networks: Iterable[_Network]) -> list[onnx.OperatorSetIdProto]:
    found: dict[str, int] = {}
    for network in networks:
        for opset in network.model.opset_import:
            if found.setdefault(opset.domain, opset.version) != opset.version:
                raise UserError(
                    f"the networks are written in different opsets of {opset.domain or 'ONNX'}: export again"
                )
    return [helper.make_opsetid(domain, version) for domain, version in found.items()]


def _declared(spec: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(spec.name, helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), spec.shape)
