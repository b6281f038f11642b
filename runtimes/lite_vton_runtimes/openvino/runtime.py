"""OpenVINO on the CPU, in the precision the files were written for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, ComponentTensors, TensorSpec
from lite_vton.errors import UserError
from lite_vton.messages.commands import how_to_add
from lite_vton_runtimes.base import Array, Component
from lite_vton_runtimes.fused import whole_network
from lite_vton_runtimes.openvino.mapped_files import forgetting
from lite_vton_runtimes.tensors import ordered

__all__ = ["FLOAT_PRECISION", "OpenVinoRuntime", "compiled", "has_half", "read"]

FLOAT_PRECISION: Mapping[str, str] = MappingProxyType({"fp32": "f32", "fp16": "f16", "bf16": "bf16", "int8": "bf16"})
"""What OpenVINO is told to compute in where nothing is quantised, for each precision of ours.

It has to be told: left alone, OpenVINO (2026.4) computes even float32 files in bfloat16 where the CPU can.
"""


_CAPABILITIES: Mapping[str, str] = MappingProxyType({"bf16": "BF16", "f16": "FP16"})


class OpenVinoRuntime:
    """The `openvino-<precision>` folder of a bundle, offered as a `Runtime`.

    A CPU without instructions for bfloat16, or float16, computes in float32 what is asked for so; int8 it can always.
    `threads` is per component; None leaves it to OpenVINO. Each file is mapped, not read, and compiled at its
    component's first use; its tensors are checked against the manifest. With `fused` its one component is that of the
    `openvino-<precision>-fused` folder (`lite_vton_runtimes.fused`).
    """

    def __init__(
        self, bundle: Bundle, precision: str = "fp32", threads: int | None = None, *, fused: bool = False
    ) -> None:
        self._bundle = bundle  # of a zip, this object keeps the extracted files alive
        self._name = f"openvino-{precision}"
        if fused:
            networks = whole_network(bundle, "openvino", precision)
        else:
            networks = {
                name: (_model_file(bundle, precision, name), bundle.manifest.components[name])
                for name in bundle.manifest.model.components
            }
        self._components: dict[str, _LazyModel] = {
            name: _LazyModel(name, file, tensors, precision, threads) for name, (file, tensors) in networks.items()
        }

    @property
    def name(self) -> str:
        """`openvino-<precision>`."""
        return self._name

    @property
    def components(self) -> Mapping[str, Component]:
        """The networks by name; empty after `close`."""
        return self._components

    def close(self) -> None:
        """Free the compiled networks."""
        self._components = {}


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
        _check_tensors(self._file, "inputs", model.inputs, self._tensors.inputs)
        _check_tensors(self._file, "outputs", model.outputs, self._tensors.outputs)
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


def _model_file(bundle: Bundle, precision: str, component: str) -> Path:
    folders = (folder.name for folder in bundle.root.glob("openvino-*"))
    present = sorted(name.removeprefix("openvino-") for name in folders if not name.endswith("-fused"))
    if precision not in present or precision not in FLOAT_PRECISION:
        choice = f"it has {', '.join(present)}" if present else how_to_add(bundle, "openvino")
        raise UserError(f"the bundle {bundle.given} has no OpenVINO at precision {precision!r}: {choice}")
    return bundle.path(f"openvino-{precision}/{component}/model.xml")


def _check_tensors(file: Path, kind: str, found: list[ov.ConstOutput], declared: tuple[TensorSpec, ...]) -> None:
    in_file = [
        (port.get_any_name(), tuple(port.get_partial_shape().get_min_shape()), port.get_element_type().to_dtype().name)
        for port in found
    ]
    in_manifest = [(spec.name, spec.shape, spec.dtype) for spec in declared]
    if sorted(in_file) != sorted(in_manifest):
        raise UserError(f"{file} has {kind} {in_file}, its manifest says {in_manifest}: export the bundle again")
