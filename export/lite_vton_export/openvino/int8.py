"""An OpenVINO model in int8, through nncf's post-training quantisation."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton_export.precision.closest import Answering, closest, judged
from lite_vton_export.precision.int8_ladder import rungs
from lite_vton_runtimes.openvino.runtime import compiled

__all__ = ["to_int8"]

_FLOAT_KINDS = ("Add", "Subtract", "Multiply", "ConvolutionBackpropData")
"""Quantising the two sides of every residual sum costs the demo U-Net 5 dB and saves no time; transposed convolutions
OpenVINO (2026.4) computes in float on the CPU, whatever is in the file."""


def to_int8(model: ov.Model, source: Path, feeds: Sequence[Mapping[str, NDArray[Any]]]) -> ov.Model:
    """A float32 model quantised to the ranges its activations have on `feeds`; `source` is the ONNX file it is made of.

    Weights per output channel and symmetric, activations asymmetric (nncf's mixed preset); before linear layers what
    is uneven between channels is moved into the weights (SmoothQuant, arXiv:2211.10438), which lifts the demo U-Net
    from 41 to 45 dB. What `lite_vton_export.precision.float_layers` names stays float, and as much more as int8's gate
    takes (`lite_vton_export.precision.int8_ladder`). First with nncf's own ranges, the mean of the calls', and its bias
    correction; where that misses the gate, with ranges that hold the loudest call. Raises `UserError` for an empty set.
    """
    if not feeds:
        raise UserError("int8 needs a calibration set, and it is empty: give one, or export bf16, which needs none")
    judge = judged(_answering(model, "fp32"), feeds)
    candidates = (_quantise(model, feeds, kept, averaged=averaged) for averaged, kept in _ways(rungs(source, feeds)))
    return closest(candidates, lambda made: _answering(made, "int8"), judge)


def _ways(kept: Iterator[frozenset[str]]) -> Iterator[tuple[bool, frozenset[str]]]:
    """Whether ranges are averages over the calls, which clips the loud ones, and what stays float."""
    always, linear = next(kept), next(kept)
    yield from ((True, always), (True, linear), (False, always))
    for more in kept:
        yield False, more


def _quantise(
    model: ov.Model, feeds: Sequence[Mapping[str, NDArray[Any]]], kept: frozenset[str], *, averaged: bool
) -> ov.Model:
    with _quiet():
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        nncf.set_log_level(logging.ERROR)
        present = {op.get_friendly_name() for op in model.get_ops()}
        # OpenVINO splits a convolution with a bias in two, and names the product so.
        names = [name for node in sorted(kept) for name in (node, f"{node}/WithoutBiases") if name in present]
        made: ov.Model = nncf.quantize(
            model.clone(),
            nncf.Dataset(list(feeds)),
            preset=nncf.QuantizationPreset.MIXED,
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(feeds),
            model_type=nncf.ModelType.TRANSFORMER,
            advanced_parameters=None
            if averaged
            else nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX, disable_bias_correction=True
            ),
            ignored_scope=nncf.IgnoredScope(names=names, types=list(_FLOAT_KINDS), validate=False),
        )
    return made


def _answering(model: ov.Model, precision: str) -> Answering:
    request = compiled(model, precision).create_infer_request()

    def answer(feed: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[np.float32]]:
        request.infer(dict(feed))
        return [tensor.data for tensor in request.output_tensors]

    return answer


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep nncf's greeting and its progress bars, which it has no switch for (3.4), off the screen."""
    with redirect_stdout(io.StringIO()):
        yield
