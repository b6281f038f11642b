"""One component to OpenVINO files, one folder a precision: `model.xml`, the graph, and `model.bin`, its weights.

Converted from our ONNX file and not from torch itself: on the demo and tiny models both answer alike (135 to 150 dB
from torch float32), but the ONNX file keeps shapes fixed and tensors named as the manifest has them, and is there
already; OpenVINO's own path from `torch.export` (2026.4) makes shapes dynamic, renames what comes in and goes out, and
traces the network a second time.

fp32  as it is
fp16  products' weights stored in float16, and the whole computed in float16 where the device can; where it cannot, as
      on most CPUs, OpenVINO computes in float32 with these weights
bf16  products' weights stored in bfloat16, and the whole computed in bfloat16 where the CPU can; where it cannot,
      OpenVINO computes in float32 with these weights
int8  nncf's quantisation of the products, calibrated; the rest as in bf16
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import frontend, opset13
from torch import nn

from lite_vton.atomic import scratch_folder
from lite_vton.bundle import compact_metadata
from lite_vton.errors import UserError
from lite_vton.model.components import ComponentSpec
from lite_vton.presets.config import ModelConfig
from lite_vton_export.onnx.write import export_onnx
from lite_vton_export.openvino.int8 import to_int8
from lite_vton_export.openvino.precision import weights_of

__all__ = ["export_openvino", "root_logger_kept"]

_Feeds = Sequence[Mapping[str, NDArray[Any]]]
_FP16_MAX = 65504.0
_CANNOT_CONVERT = (  # OpenVINO's own (2026.4) have no base class but Exception
    RuntimeError,
    frontend.GeneralFailure,
    frontend.InitializationFailure,
    frontend.NotImplementedFailure,
    frontend.OpConversionFailure,
    frontend.OpValidationFailure,
)


def export_openvino(
    module: nn.Module,
    spec: ComponentSpec,
    config: ModelConfig,
    folders: Mapping[str, Path],
    *,
    latent_scale: float = 1.0,
    calibration: _Feeds = (),
) -> dict[str, Path]:
    """Write `model.xml` and `model.bin` into each folder of `folders`, a folder a precision; the `.xml` files' paths.

    Where the bundle has an `onnx-fp32` folder already, that one's file is converted; else the module is exported to a
    temporary one. `calibration` holds inputs of real calls, for int8. Inputs and outputs are float32 (the timestep
    int64) whatever the precision. Raises `UserError` for an unknown precision and for int8 without calibration.
    """
    for precision in folders:
        if precision not in _CONVERTERS:
            raise UserError(f"OpenVINO is not written in {precision!r}: choose one of {', '.join(_CONVERTERS)}")
    with scratch_folder() as temporary:
        folder = next(iter(folders.values()))
        source = folder.parent.parent / "onnx-fp32" / folder.name / "model.onnx"
        if not source.is_file():
            fp32 = {"fp32": temporary}
            source = export_onnx(module, spec, config, fp32, latent_scale=latent_scale)["fp32"]
        paths = {}
        for precision, target in folders.items():
            model = _CONVERTERS[precision](source, calibration)
            for key, value in compact_metadata(
                config, component=spec.name, precision=precision, latent_scale=latent_scale
            ).items():
                model.set_rt_info(value, ["lite_vton", key])
            target.mkdir(parents=True, exist_ok=True)
            paths[precision] = target / "model.xml"
            ov.save_model(model, paths[precision], compress_to_fp16=False)
        return paths


def _to_fp32(source: Path, _calibration: _Feeds) -> ov.Model:
    try:
        with root_logger_kept():
            model = ov.convert_model(source)
    except _CANNOT_CONVERT as error:
        reason = " ".join(str(error).split())[-200:]
        raise UserError(f"OpenVINO cannot convert {source.parent.name} ({reason}): export onnx instead") from error
    # What ONNX has for the same purpose, and says fp32.
    model.set_rt_info({}, ["framework"])
    return model


@contextmanager
def root_logger_kept() -> Iterator[None]:
    """OpenVINO (2026.4) lets its converter silence everybody's logging, and after a failure leaves it so."""
    root = logging.getLogger()
    level, filters, handlers = root.level, list(root.filters), list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.filters[:], root.handlers[:] = filters, handlers


def _to_bf16(source: Path, _calibration: _Feeds) -> ov.Model:
    return _stored_in(ov.Type.bf16, _to_fp32(source, ()))


def _to_fp16(source: Path, _calibration: _Feeds) -> ov.Model:
    model = _to_fp32(source, ())
    for constant in weights_of(model):
        largest = float(np.max(np.abs(constant.data), initial=0.0))
        if not largest <= _FP16_MAX:  # also catches NaN
            raise UserError(
                f"weight {constant.get_friendly_name()!r} reaches {largest:g}, beyond float16's {_FP16_MAX:g}: "
                "export fp32 or bf16, or train with weight decay"
            )
    return _stored_in(ov.Type.f16, model)


def _stored_in(half: ov.Type, model: ov.Model) -> ov.Model:
    """The weights of products in a half precision, widened in the graph: OpenVINO folds that away when it compiles."""
    for constant in weights_of(model):
        if constant.get_element_type() == ov.Type.f32:
            stored = opset13.constant(constant.data, dtype=half)
            stored.set_friendly_name(f"{constant.get_friendly_name()}/{half.get_type_name()}")
            widened = opset13.convert(stored, "f32")
            for port in constant.output(0).get_target_inputs():
                port.replace_source_output(widened.output(0))
    return model


def _to_int8(source: Path, calibration: _Feeds) -> ov.Model:
    return to_int8(_to_fp32(source, ()), source, calibration)


_CONVERTERS: Mapping[str, Callable[[Path, _Feeds], ov.Model]] = MappingProxyType(
    {"fp32": _to_fp32, "fp16": _to_fp16, "bf16": _to_bf16, "int8": _to_int8}
)
