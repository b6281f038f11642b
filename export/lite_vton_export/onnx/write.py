"""One component to ONNX files, one a precision, in the layout that diffusers and Optimum load."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from lite_vton.atomic import scratch_folder
from lite_vton.bundle import compact_metadata
from lite_vton.errors import UserError
from lite_vton.model.components import ComponentSpec
from lite_vton.presets.config import ModelConfig
from lite_vton_export.onnx.file import save_onnx
from lite_vton_export.onnx.half import to_mixed_fp16
from lite_vton_export.onnx.int8 import to_int8, to_w8
from lite_vton_export.precision.half_safety import HalfSafety
from lite_vton_export.precision.rules import FP32_NODES

__all__ = ["DEFAULT_OPSET", "export_onnx", "trace_onnx"]

DEFAULT_OPSET = 18
"""The lowest that torch's exporter writes natively: the most runtimes read it."""
_Feeds = Sequence[Mapping[str, NDArray[Any]]]
_Keep = Mapping[str, str]
_CONVERTERS: Mapping[str, Callable[[onnx.ModelProto, _Feeds, _Keep], onnx.ModelProto]] = MappingProxyType(
    {
        "fp32": lambda model, _feeds, _keep: model,
        "fp16": lambda model, _feeds, keep: to_mixed_fp16(model, keep),
        "int8": lambda model, feeds, _keep: to_int8(model, feeds),
        "w8": lambda model, _feeds, _keep: to_w8(model),
    }
)


def export_onnx(
    module: nn.Module | None,
    spec: ComponentSpec,
    config: ModelConfig,
    folders: Mapping[str, Path],
    *,
    latent_scale: float = 1.0,
    calibration: _Feeds = (),
    safety: HalfSafety | None = None,
    opset: int = DEFAULT_OPSET,
) -> dict[str, Path]:
    """Write `model.onnx` into each folder of `folders`, a folder a precision; returns the files by precision.

    The module is traced once, and every precision is made from that graph. It takes the tensors of
    `spec.inputs(config)` in order; shapes are fixed to theirs. Inputs and outputs are float32 (the timestep int64)
    whatever the precision. Above 2 GB the weights go to `model.onnx.data` beside the file. `calibration` holds inputs
    of real calls (`lite_vton_export.bundle.calibration`), for int8; `safety` says what fp16 keeps in float32 beside the
    kinds that are always kept, and lends its trace, without which there has to be a module. Raises `UserError` for an
    unknown precision, for weights that do not fit it, and for int8 without calibration.
    """
    for precision in folders:
        if precision not in _CONVERTERS:
            raise UserError(f"ONNX files are not written in {precision!r}: choose one of {', '.join(_CONVERTERS)}")
    keep = {} if safety is None else safety.kept.nodes
    written: dict[str, Path] = {}
    with scratch_folder() as scratch:
        if safety is not None:
            traced = safety.traced
        elif module is not None:
            traced = trace_onnx(module, spec, config, scratch, opset)
        else:
            raise ValueError("neither a module nor its trace")
        for precision, folder in folders.items():
            # Read again for each: two graphs of a large network at once are gigabytes.
            model = _CONVERTERS[precision](onnx.load(traced), calibration, keep)
            written[precision] = _write(model, spec, config, folder, precision, latent_scale)
            del model
    return written


def trace_onnx(
    module: nn.Module, spec: ComponentSpec, config: ModelConfig, folder: Path, opset: int = DEFAULT_OPSET
) -> Path:
    """Write the float32 graph that every precision is made from, with the exporter's notes on where its nodes are from.

    Returns `model.onnx` in `folder`; its weights are in a file beside it, written from the module's own, so that they
    are not in memory twice.
    """
    inputs, outputs = spec.inputs(config), spec.outputs(config)
    example = tuple(torch.zeros(tensor.shape, dtype=getattr(torch, tensor.dtype)) for tensor in inputs)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            example,
            dynamo=True,
            opset_version=opset,
            input_names=[tensor.name for tensor in inputs],
            output_names=[tensor.name for tensor in outputs],
            verbose=False,
        )
        if program is None:
            raise RuntimeError(f"torch exported nothing for {spec.name}")
        program.save(path, external_data=True)
    return path


def _write(
    model: onnx.ModelProto, spec: ComponentSpec, config: ModelConfig, folder: Path, precision: str, latent_scale: float
) -> Path:
    _describe(model, config, spec.name, precision, latent_scale)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    save_onnx(model, path)
    onnx.checker.check_model(str(path), full_check=True)
    return path


def _describe(model: onnx.ModelProto, config: ModelConfig, component: str, precision: str, latent_scale: float) -> None:
    """Put the compact manifest where every viewer shows it, and drop the exporter's notes on our source tree."""
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key == FP32_NODES}
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    metadata = compact_metadata(config, component=component, precision=precision, latent_scale=latent_scale)
    onnx.helper.set_model_props(model, kept | {f"lite_vton.{key}": value for key, value in metadata.items()})


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says about packages and internals that the user cannot change."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
