"""ONNX Runtime on any execution provider it was built with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.errors import UserError
from lite_vton_runtimes.base import Array
from lite_vton_runtimes.fused import WHOLE
from lite_vton_runtimes.memory import map_large_tensors, return_to_the_system
from lite_vton_runtimes.networks import BundleRuntime, network_files
from lite_vton_runtimes.onnxruntime.providers import CPU, Provider, check_work, known_provider, session_providers
from lite_vton_runtimes.tensors import check_declared, ordered

__all__ = ["OnnxRuntime"]

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int64)": "int64", "tensor(uint8)": "uint8"}


class OnnxRuntime(BundleRuntime["_LazySession"]):
    """The `onnx-<precision>` folder of a bundle, offered as a `Runtime`.

    `providers`, by the names of `lite_vton_runtimes.onnxruntime.providers` or ONNX Runtime's own, are tried in this
    order, and each one has to work: one that is not built in, that ONNX Runtime drops when a session starts, or that
    leaves most of a network to the CPU, is a `UserError` and not a silent fall back. `threads` is per session; None
    leaves it to ONNX Runtime. Each session starts at its component's first use and is checked against the manifest:
    tensor names, shapes and dtypes. With `fused` its one component is that of the `onnx-<precision>-fused` folder
    (`lite_vton_runtimes.fused`).
    """

    def __init__(
        self,
        bundle: Bundle,
        precision: str = "fp32",
        providers: Sequence[str] = (CPU,),
        threads: int | None = None,
        *,
        fused: bool = False,
    ) -> None:
        if not providers:
            raise UserError(f"no ONNX Runtime provider given: choose from {', '.join(ort.get_available_providers())}")
        rows = tuple(known_provider(name) for name in providers)
        if fused:
            map_large_tensors()
        networks = network_files(bundle, "onnx", precision, called="ONNX", fused=fused)
        components = {
            name: _LazySession(name, file, tensors, rows, threads) for name, (file, tensors) in networks.items()
        }
        super().__init__(f"onnxruntime-{precision}", components, bundle)


class _LazySession:
    """A component that loads its file when first called."""

    def __init__(
        self, name: str, file: Path, tensors: ComponentTensors, providers: tuple[Provider, ...], threads: int | None
    ) -> None:
        self._name = name
        self._whole = name == WHOLE
        self._file = file
        self._tensors = tensors
        self._providers = providers
        self._threads = threads
        self._session: ort.InferenceSession | None = None

    def __call__(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
        arrays = ordered(self._name, self._tensors.inputs, inputs)
        if self._session is None:
            self._session = self._start()
        names = [spec.name for spec in self._tensors.outputs]
        feeds = {spec.name: array for spec, array in zip(self._tensors.inputs, arrays, strict=True)}
        return dict(zip(names, self._session.run(names, feeds), strict=True))

    def release(self) -> None:
        """Free the session; the next call starts it again."""
        self._session = None

    def _start(self) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.log_severity_level = 3  # errors; warnings about fallbacks are raised below instead
        # The arena never gives back its largest moment; without it peak memory is that of one layer.
        options.enable_cpu_mem_arena = False
        # Nor a block that is as large as all tensors of the graph of a whole try-on together are at once.
        options.enable_mem_pattern = not self._whole
        if any(row.name != CPU for row in self._providers):
            options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        try:
            session = ort.InferenceSession(str(self._file), options, providers=session_providers(self._providers))
        except Exception as error:  # its pybind exceptions share no public base class
            reason = str(error).splitlines()[0]
            raise UserError(f"ONNX Runtime cannot load {self._file}: {reason}") from error
        if self._whole:
            return_to_the_system()  # what loading needed
        check_work(session, self._providers, self._name)
        check_declared(self._file, "inputs", _described(session.get_inputs()), self._tensors.inputs)
        check_declared(self._file, "outputs", _described(session.get_outputs()), self._tensors.outputs)
        return session


def _described(found: Sequence[ort.NodeArg]) -> list[tuple[str, tuple[object, ...], str]]:
    return [(arg.name, tuple(arg.shape), _DTYPES.get(arg.type, arg.type)) for arg in found]
