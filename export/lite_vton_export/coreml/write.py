"""One component to Core ML packages (`.mlpackage`), one a precision.

coremltools 9.0 converts what `torch.export` captures; it does not convert a traced module with a cast in it. Neither
this nor the check afterwards (`lite_vton_export.coreml.evaluator`) needs a Mac.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lite_vton.bundle import compact_metadata
from lite_vton.errors import UserError
from lite_vton.model.components import ComponentSpec
from lite_vton.presets.config import ModelConfig
from lite_vton_export.coreml.attention import attention_variant
from lite_vton_export.coreml.compression import COMPRESSED, compressed
from lite_vton_export.coreml.package import FP32_PRODUCTS, quiet
from lite_vton_export.coreml.precision import float16_selector
from lite_vton_export.coreml.unsafe_operations import unsafe_operations
from lite_vton_export.options import CoreMLOptions
from lite_vton_export.precision.half_safety import HalfSafety, float32_products, unsafe_modules

if TYPE_CHECKING:
    from coremltools.models import MLModel
    from torch.export import ExportedProgram

__all__ = ["export_coreml"]

_PRECISIONS = ("fp32", "fp16", *COMPRESSED)
_TARGETS: Mapping[str, str] = MappingProxyType({"ios16": "iOS16", "ios17": "iOS17", "ios18": "iOS18"})
_FP16_MAX = 65504.0


def export_coreml(
    module: nn.Module,
    spec: ComponentSpec,
    config: ModelConfig,
    folders: Mapping[str, Path],
    *,
    latent_scale: float = 1.0,
    calibration: Sequence[Mapping[str, NDArray[np.generic]]] = (),  # noqa: ARG001  # every exporter is offered it
    safety: HalfSafety | None = None,
    options: CoreMLOptions | None = None,
) -> dict[str, Path]:
    """Write `model.mlpackage` into each folder of `folders`, a folder a precision; returns the packages by precision.

    Takes the tensors of `spec.inputs(config)`, shapes fixed to theirs, the timestep as int32: Core ML has no int64.
    Inputs and outputs are float32 whatever the precision. What coremltools writes on the way lies beside the first of
    the folders and is gone afterwards. `safety` says which modules stay in float32 where the rest is in half. Raises
    `UserError` for an unknown precision, for weights beyond float16, and for a module that cannot be converted for the
    target, naming what stands in the way.
    """
    options = CoreMLOptions() if options is None else options
    for precision in folders:
        if precision not in _PRECISIONS:
            raise UserError(
                f"Core ML packages are not written in {precision!r}: choose one of {', '.join(_PRECISIONS)}"
            )
    kept = None if safety is None else safety.kept
    unsafe = unsafe_modules(module, kept)
    if set(folders) - {"fp32"}:
        _check_range(module, unsafe)
    paths = {precision: folder / "model.mlpackage" for precision, folder in folders.items()}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    with quiet(), _scratch(next(iter(folders.values())).parent):
        program = _captured(module.eval(), spec, config, options.attention)
        half = _converted(program, spec, config, options.target, unsafe) if set(folders) - {"fp32"} else None
        for precision, path in paths.items():
            if precision == "fp32":
                model = _converted(program, spec, config, options.target, None)
            else:
                model = half if precision == "fp16" else compressed(half, precision)
            _describe(model, spec, config, precision, latent_scale, options)
            if precision != "fp32":
                model.user_defined_metadata[FP32_PRODUCTS] = str(float32_products(module, kept))
            model.save(str(path))
            # coremltools 9.0 adds it to what came from torch.export: names of the source graph, for ExecuTorch.
            (path / "executorch_debug_handle_mapping.json").unlink(missing_ok=True)
    return paths


def _check_range(module: nn.Module, unsafe: Collection[str]) -> None:
    for name, weight in module.named_parameters():
        if name.rpartition(".")[0] in unsafe:
            continue
        largest = float(weight.detach().abs().max()) if weight.numel() else 0.0
        if not largest <= _FP16_MAX:  # also catches NaN
            raise UserError(
                f"weight {name!r} reaches {largest:g}, beyond float16's {_FP16_MAX:g}: "
                "export fp32, or train with weight decay"
            )


@contextmanager
def _scratch(parent: Path) -> Iterator[None]:
    """Have coremltools put its temporary packages there for a while: it leaves them until the process ends."""
    with tempfile.TemporaryDirectory(prefix=".coreml-", dir=parent) as folder:
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def _captured(module: nn.Module, spec: ComponentSpec, config: ModelConfig, attention: str) -> ExportedProgram:
    example = tuple(
        torch.zeros(tensor.shape, dtype=torch.int32 if tensor.dtype == "int64" else getattr(torch, tensor.dtype))
        for tensor in spec.inputs(config)
    )
    with torch.no_grad(), attention_variant(module, attention):
        program: ExportedProgram = torch.export.export(module, example).run_decompositions({})
    return program


def _converted(
    program: ExportedProgram, spec: ComponentSpec, config: ModelConfig, target: str, unsafe: Collection[str] | None
) -> MLModel:
    """In float32 where `unsafe` is None, else in half but for the modules it names."""
    import coremltools as ct

    precision = ct.precision.FLOAT32
    if unsafe is not None:
        selector = float16_selector(unsafe_operations(program, unsafe))
        precision = ct.transform.FP16ComputePrecision(op_selector=selector)
    try:
        return ct.convert(
            program,
            inputs=[
                ct.TensorType(tensor.name, tensor.shape, np.int32 if tensor.dtype == "int64" else np.float32)
                for tensor in spec.inputs(config)
            ],
            outputs=[ct.TensorType(tensor.name, dtype=np.float32) for tensor in spec.outputs(config)],
            minimum_deployment_target=getattr(ct.target, _TARGETS[target]),
            compute_precision=precision,
            skip_model_load=True,
        )
    except (RuntimeError, ValueError, KeyError, TypeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{spec.name} cannot be converted to Core ML for {target} ({reason}): try another --coreml-target, "
            "or leave coreml out"
        ) from error


def _describe(
    model: MLModel,
    spec: ComponentSpec,
    config: ModelConfig,
    precision: str,
    latent_scale: float,
    options: CoreMLOptions,
) -> None:
    """The compact manifest where Xcode shows it, with the compute units an app is advised to ask for."""
    about = compact_metadata(config, component=spec.name, precision=precision, latent_scale=latent_scale)
    model.license = about["license"]
    model.short_description = f"{spec.name} of {config.name}, {precision}"
    for tensor in spec.inputs(config):
        model.input_description[tensor.name] = tensor.meaning
    for tensor in spec.outputs(config):
        model.output_description[tensor.name] = tensor.meaning
    about |= {"target": options.target, "compute_units": options.compute_units, "attention": options.attention}
    for key, value in about.items():
        model.user_defined_metadata[f"lite_vton.{key}"] = value
