"""The plan of an engine as TensorRT's own inspector tells it: for classic TensorRT, where a GPU is at hand anyway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lite_vton.errors import UserError
from lite_vton_export.tensorrt.plan import EnginePlan, Product
from lite_vton_runtimes.base import NoDeviceError
from lite_vton_runtimes.tensorrt.engine import EngineTensor
from lite_vton_runtimes.tensorrt.library import load_tensorrt
from lite_vton_runtimes.tensorrt.nvidia import first_gpu

__all__ = ["inspect_engine"]

# As an engine built with profiling verbosity DETAILED says it: in words of its own from version 11 on ("Half"), inside
# the description of the memory layout before ("Row major linear FP16 format").
_PRECISIONS = {"Half": "fp16", "FP16": "fp16", "Float": "fp32", "FP32": "fp32", "BF16": "bf16", "Int8": "int8"}
_BYTES = {"fp16": 2, "bf16": 2, "int8": 1}
_POINTWISE = ("kgen", "PointWiseV2", "Constant", "Shuffle", "NoOp", "Reformat", "Gather")
"""Kinds of layer that hold constants and multiply nothing by them but element by element."""


def inspect_engine(engine: Path, *, tf32: bool = False) -> EnginePlan:
    """Deserialise an engine and ask for its layers; `tf32` as built. `NoDeviceError` where there is no GPU."""
    if first_gpu() is None:
        raise NoDeviceError(f"no NVIDIA GPU, and {engine.name} cannot be read without one")
    tensorrt = load_tensorrt()
    trt = tensorrt.module
    tensorrt.errors.clear()
    loaded = trt.Runtime(tensorrt.logger).deserialize_cuda_engine(engine.read_bytes())
    if loaded is None:
        raise UserError(f"{engine} cannot be deserialised ({'; '.join(tensorrt.errors[:1])}): export it again")
    told = json.loads(loaded.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON))
    precisions = _PRECISIONS | ({"Float": "tf32", "FP32": "tf32"} if tf32 else {})
    names = [loaded.get_tensor_name(index) for index in range(loaded.num_io_tensors)]

    def tensors(mode: Any) -> tuple[EngineTensor, ...]:
        return tuple(
            EngineTensor(
                name=name,
                shape=tuple(loaded.get_tensor_shape(name)),
                dtype=np.dtype(trt.nptype(loaded.get_tensor_dtype(name))).name,
            )
            for name in names
            if loaded.get_tensor_mode(name) == mode
        )

    products = tuple(product for layer in told["Layers"] for product in _products(layer, precisions))
    return EnginePlan(tensors(trt.TensorIOMode.INPUT), tensors(trt.TensorIOMode.OUTPUT), products)


def _products(layer: Any, precisions: dict[str, str]) -> Iterator[Product]:
    if not isinstance(layer, dict):
        raise UserError("the engine tells only the names of its layers: build it with profiling verbosity DETAILED")
    if layer.get("LayerType") in _POINTWISE:
        return
    output = [int(side) for side in layer["Outputs"][0]["Dimensions"]]
    positions = prod(output[2:] if len(output) == 4 else output[:-1])
    weights = layer.get("Weights")
    if isinstance(weights, dict) and weights.get("Count", 0):
        yield _product(layer["Name"], _named(str(weights["Type"]), precisions), int(weights["Count"]), positions)
    for constant in layer.get("Constants", ()):
        sides = constant["Dimensions"]
        if sum(side > 1 for side in sides) > 1:
            words = str(constant.get("Datatype", constant.get("Format/Datatype", "")))
            yield _product(layer["Name"], _named(words, precisions), prod(sides), positions)


def _product(name: str, precision: str, weights: int, positions: int) -> Product:
    return Product(name, precision, weights * _BYTES.get(precision, 4), weights * positions)


def _named(words: str, precisions: dict[str, str]) -> str:
    return next((precision for word, precision in precisions.items() if word in words), words)
