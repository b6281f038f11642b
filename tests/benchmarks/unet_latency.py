"""How long one step of a U-Net takes at full size on each backend, interleaved, and how fit it is for a Neural Engine.

Weights are random: time does not depend on their values. int8 is the shipping recipe's
(`lite_vton_export.openvino.int8`), but calibrated on one call of noise and without bias correction, which change values
and not the graph.
"""

from __future__ import annotations

import logging
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino as ov
from numpy.typing import NDArray

from lite_vton.model.components import components_of
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.unet import build_unet
from lite_vton.presets.config import ModelConfig
from lite_vton_export.onnx.write import export_onnx
from lite_vton_export.precision.float_layers import float_layers
from lite_vton_runtimes.openvino.runtime import compiled, read

__all__ = ["built", "engine_counts", "interleaved", "measured"]

ROUNDS = 7
_MOVES = ("Reshape", "Transpose", "Concat", "Slice", "Split", "Gather", "Expand", "Squeeze", "Unsqueeze", "Resize")
_Feed = Mapping[str, NDArray[Any]]


def built(config: ModelConfig, folder: Path) -> None:
    """Write `model.onnx` and `int8.xml`, what `measured` times, into `folder`; nothing where they are there."""
    source = folder / "model.onnx"
    if not source.is_file():
        unet = Denoiser(config, build_unet(config)).eval()
        export_onnx(unet, components_of(config)["unet"], config, {"fp32": folder})
    if not (folder / "int8.xml").is_file():
        ov.save_model(_int8(ov.convert_model(source), source, _feed(config)), folder / "int8.xml", False)


def measured(config: ModelConfig, folder: Path, threads: int | None = None) -> dict[str, Any]:
    """Seconds a step by backend, the best and the median of `ROUNDS`, and `engine_counts`.

    `threads` of each backend; None: all cores.
    """
    import onnxruntime as ort
    import torch

    torch.set_num_threads(threads or torch.get_num_threads())
    unet, feed = Denoiser(config, build_unet(config)).eval(), _feed(config)
    source = folder / "model.onnx"
    options = ort.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would spin in the others' turns
    options.intra_op_num_threads = threads or 0
    session = ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    tensors = [torch.from_numpy(array) for array in feed.values()]

    def in_torch() -> None:
        with torch.inference_mode():
            unet(*tensors)

    runs: dict[str, Callable[[], Any]] = {
        "torch fp32": in_torch,
        "onnxruntime fp32": lambda: session.run(None, dict(feed)),
        "openvino bf16": _inferring(source, "bf16", feed, threads),
        "openvino int8": _inferring(folder / "int8.xml", "int8", feed, threads),
    }
    return {
        "seconds": interleaved(runs),
        "engine": engine_counts(onnx.load(source)),
        "threads": threads or os.cpu_count(),
    }


def _feed(config: ModelConfig) -> dict[str, NDArray[Any]]:
    _, _, height, width = config.latent_shape
    noise = np.random.default_rng(0).standard_normal((1, config.unet_in_channels, height, width))
    return {"sample": noise.astype(np.float32), "timestep": np.array([300], dtype=np.int64)}


def interleaved(runs: Mapping[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Best and median seconds of each, one call of each a round, after one that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - began)
    return {name: {"best": min(each[1:]), "median": statistics.median(each[1:])} for name, each in taken.items()}


def engine_counts(model: onnx.ModelProto) -> dict[str, float]:
    """What of an ONNX file a Neural Engine likes, and what it does not, counted.

    `in_convolutions`  share of the multiplications that convolutions do, an engine's own work
    `moves`            nodes that only move or reshape numbers
    `attentions`       softmaxes, each over a matrix that no convolution makes
    `norms`            group and layer normalisations: passes over memory, and sums that float16 has to be kept safe in
    """
    from onnx import shape_inference

    graph = shape_inference.infer_shapes(model).graph
    values = (*graph.value_info, *graph.output, *graph.input)
    shapes = {value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in values}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    products = {"Conv": 0, "MatMul": 0, "Gemm": 0}
    for node in graph.node:
        out = int(np.prod(shapes.get(node.output[0], [0])))
        if node.op_type == "Conv":
            products["Conv"] += out * int(np.prod(shapes[node.input[1]][1:]))
        elif node.op_type in products:
            first = shapes[node.input[0]]
            products[node.op_type] += out * first[-1]
    kinds = [node.op_type for node in graph.node]
    return {
        "in_convolutions": products["Conv"] / max(1, sum(products.values())),
        "moves": sum(kind in _MOVES for kind in kinds),
        "attentions": kinds.count("Softmax"),
        "norms": sum(kind in ("InstanceNormalization", "GroupNormalization", "LayerNormalization") for kind in kinds),
        "nodes": len(kinds),
    }


def _inferring(file: Path, precision: str, feed: _Feed, threads: int | None) -> Callable[[], Any]:
    request = compiled(read(file), precision, threads).create_infer_request()
    return lambda: request.infer(dict(feed))


def _int8(model: ov.Model, source: Path, feed: _Feed) -> ov.Model:
    import nncf

    nncf.set_log_level(logging.ERROR)

    present = {op.get_friendly_name() for op in model.get_ops()}
    kept = float_layers(onnx.load(source))
    names = [name for node in sorted(kept) for name in (node, f"{node}/WithoutBiases") if name in present]
    return nncf.quantize(
        model.clone(),
        nncf.Dataset([feed]),
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        subset_size=1,
        model_type=nncf.ModelType.TRANSFORMER,
        advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
        ignored_scope=nncf.IgnoredScope(
            names=names, types=["Add", "Subtract", "Multiply", "ConvolutionBackpropData"], validate=False
        ),
    )
