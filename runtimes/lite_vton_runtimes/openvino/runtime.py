"""OpenVINO on the CPU, in the precision the files were written for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.errors import UserError
from lite_vton_runtimes.base import Array
from lite_vton_runtimes.networks import BundleRuntime, network_files
from lite_vton_runtimes.openvino.mapped_files import forgetting
from lite_vton_runtimes.tensors import check_declared, ordered

__all__ = ["FLOAT_PRECISION", "OpenVinoRuntime", "compiled", "has_half", "read"]

FLOAT_PRECISION: Mapping[str, str] = MappingProxyType({"fp32": "f32", "fp16": "f16", "bf16": "bf16", "int8": "bf16"})
"""What OpenVINO is told to compute in where nothing is quantised, for each precision of ours.

It has to be told: left alone, OpenVINO (2026.4) computes even float32 files in bfloat16 where the CPU can.
"""


_CAPABILITIES: Mapping[str, str] = MappingProxyType({"bf16": "BF16", "f16": "FP16"})


class OpenVinoRuntime(BundleRuntime["_LazyModel"]):
    """The `openvino-<precision>` folder of a bundle, offered as a `Runtime`.

    A CPU without instructions for bfloat16, or float16, computes in float32 what is asked for so; int8 it can always.
    `threads` is per component; None leaves it to OpenVINO. Each file is mapped, not read, and compiled at its
    component's first use; its tensors are checked against the manifest. With `fused` its one component is that of the
    `openvino-<precision>-fused` folder (`lite_vton_runtimes.fused`).
    """

    def __init__(
        self, bundle: Bundle, precision: str = "fp32", threads: int | None = None, *, fused: bool = False
    ) -> None:
        networks = network_files(bundle, "openvino", precision, called="OpenVINO", fused=fused)
        components = {
            name: _LazyModel(name, file, tensors, precision, threads) for name, (file, tensors) in networks.items()
        }
        super().__init__(f"openvino-{precision}", components, bundle)


class _LazyModel:
    """A component that compiles its file when first called."""

    def __init__(self, name: str, file: Path, tensors: ComponentTensors, precision: str, threads: int | None) -> None:
        self._name = name
        self._file = file
        self._tensors = tensors
        self._precision = precision
        self._threads = threads
        self._request: ov.InferRequest | None = None

    def __call__(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
        arrays = ordered(self._name, self._tensors.inputs, inputs)
        if self._request is None:
            self._request = self._start()
        # OpenVINO writes straight into new arrays, since the caller may keep them over the next call.
        answers = {spec.name: np.empty(spec.shape, np.dtype(spec.dtype)) for spec in self._tensors.outputs}
        for name, answer in answers.items():
            self._request.set_tensor(name, ov.Tensor(answer, shared_memory=True))
        for spec, array in zip(self._tensors.inputs, arrays, strict=True):
            self._request.set_tensor(spec.name, ov.Tensor(array, shared_memory=True))
        self._request.infer()
        return answers

    def release(self) -> None:
        """Free the compiled network; the next call compiles it again."""
        self._request = None

    def _start(self) -> ov.InferRequest:
        # Weights are repacked one by one, and what was mapped of them counts as memory for as long as the network lives
        # (OpenVINO 2026.4): 200 MB of the full-size student in int8.
        with forgetting(self._file.with_suffix(".bin")):
            model = compiled(read(self._file), self._precision, self._threads)
        check_declared(self._file, "inputs", _described(model.inputs), self._tensors.inputs)
        check_declared(self._file, "outputs", _described(model.outputs), self._tensors.outputs)
        return model.create_infer_request()


def read(file: Path) -> ov.Model:
    """`model.xml`, the weights of `model.bin` beside it mapped; a `UserError` if either is damaged or missing."""
    try:
        return ov.Core().read_model(file, config={"ENABLE_MMAP": True})
    except RuntimeError as error:
        raise UserError(f"OpenVINO cannot read {file} ({_reason(error)}): export it again") from error


def compiled(
    model: ov.Model, precision: str, threads: int | None = None, *, half: bool | None = None
) -> ov.CompiledModel:
    """For the CPU, float parts computed as `FLOAT_PRECISION` says; a `UserError` for what it cannot compile.

    Without that half precision they are computed in float32; `half` says whether the CPU has it, None to ask it.
    """
    wanted = FLOAT_PRECISION[precision]
    able = has_half(precision) if half is None else half
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": wanted if able else "f32",
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    try:
        return ov.Core().compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise UserError(f"OpenVINO cannot compile {model.get_friendly_name()} ({_reason(error)})") from error


def has_half(precision: str) -> bool:
    """Whether this CPU multiplies numbers itself in what a precision computes its float parts in.

    bfloat16 takes AVX-512 BF16 or AMX, float16 AMX's (Xeon 6) or Arm's; float32 every CPU has.
    """
    capability = _CAPABILITIES.get(FLOAT_PRECISION[precision])
    return capability is None or capability in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _reason(error: RuntimeError) -> str:
    """The one line of OpenVINO's that is for people: the last, after where in its source it was said."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _described(found: Sequence[ov.ConstOutput]) -> list[tuple[str, tuple[object, ...], str]]:
    return [
        (port.get_any_name(), tuple(port.get_partial_shape().get_min_shape()), port.get_element_type().to_dtype().name)
        for port in found
    ]
