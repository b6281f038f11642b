"""TensorRT on an NVIDIA GPU: numpy, Polygraphy's CUDA wrapper and TensorRT itself, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.errors import UserError
from lite_vton_runtimes.base import Array, NoDeviceError
from lite_vton_runtimes.networks import BundleRuntime, network_files
from lite_vton_runtimes.tensorrt.engine import EngineRecord, check_engine, engine_tensors, read_record
from lite_vton_runtimes.tensorrt.library import TensorRT, load_tensorrt, quiet
from lite_vton_runtimes.tensorrt.nvidia import Gpu, first_gpu
from lite_vton_runtimes.tensorrt.validity import check_validity
from lite_vton_runtimes.tensors import ordered

__all__ = ["TensorRTRuntime"]

_OLDEST = (8, 0)
"""The first compute capability that an engine for no particular GPU runs on: Ampere."""


class TensorRTRuntime(BundleRuntime["_LazyEngine"]):
    """The `tensorrt-<precision>` folder of a bundle, offered as a `Runtime` on the first GPU.

    Each engine is loaded at its component's first use. Its device buffers are allocated then, once, and it runs on a
    stream of its own; TensorRT-RTX records its kernels as one CUDA graph, unless `cuda_graph` is false. Classic
    TensorRT has no such switch, and launches them one by one.

    Raises `UserError` for an engine that is not whole or takes other tensors than the manifest says; `NoDeviceError`
    for one that was built for another TensorRT or GPU or does not run on this one, and where there is no NVIDIA GPU,
    after all that can be checked without one; `ModuleNotFoundError` without TensorRT.
    """

    def __init__(
        self, bundle: Bundle, precision: str = "fp16", *, cuda_graph: bool = True, fused: bool = False
    ) -> None:
        networks = network_files(bundle, "tensorrt", precision, called="engines", fused=fused)
        records = {name: _checked_record(name, file, tensors) for name, (file, tensors) in networks.items()}
        tensorrt = load_tensorrt()
        for record in records.values():
            _check_version(record, tensorrt)
        gpu = first_gpu()
        if gpu is None:
            raise NoDeviceError("TensorRT engines run on NVIDIA GPUs, and this machine has none")
        for record in records.values():
            _check_gpu(record, gpu)
        if tensorrt.flavour.name == "tensorrt-rtx":
            for file, _ in networks.values():
                check_validity(file, tensorrt)
        components = {
            name: _LazyEngine(name, file, tensors, tensorrt, cuda_graph) for name, (file, tensors) in networks.items()
        }
        super().__init__(f"tensorrt-{precision}", components, bundle)

    def close(self) -> None:
        """Free engines, buffers and streams."""
        for component in self._components.values():
            component.close()
        super().close()


class _LazyEngine:
    """A component that loads its engine when first called."""

    def __init__(self, name: str, file: Path, tensors: ComponentTensors, tensorrt: TensorRT, cuda_graph: bool) -> None:
        self._name = name
        self._file = file
        self._tensors = tensors
        self._tensorrt = tensorrt
        self._cuda_graph = cuda_graph
        self._loaded: _LoadedEngine | None = None

    def __call__(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
        arrays = ordered(self._name, self._tensors.inputs, inputs)
        if self._loaded is None:
            self._loaded = _LoadedEngine(self._file, self._tensors, self._tensorrt, self._cuda_graph)
        return self._loaded.run(dict(zip((spec.name for spec in self._tensors.inputs), arrays, strict=True)))

    def close(self) -> None:
        if self._loaded is not None:
            self._loaded.free()
            self._loaded = None


class _LoadedEngine:
    """An engine on the GPU, with its buffers and its stream."""

    def __init__(self, file: Path, tensors: ComponentTensors, tensorrt: TensorRT, cuda_graph: bool) -> None:
        from polygraphy.cuda import DeviceArray, Stream
        from polygraphy.datatype import DataType
        from polygraphy.exception import PolygraphyException

        self._outputs = {spec.name: spec for spec in tensors.outputs}
        self._engine, self._context = _context(file, tensorrt, cuda_graph)
        try:
            with quiet():
                self._stream = Stream()
                self._buffers = {
                    spec.name: DeviceArray(spec.shape, DataType.from_dtype(np.dtype(spec.dtype)))
                    for spec in (*tensors.inputs, *tensors.outputs)
                }
        except (PolygraphyException, OSError) as error:  # the latter where there is no CUDA runtime to load
            raise UserError(
                f"the CUDA runtime does not work ({str(error).splitlines()[0]}): pip install nvidia-cuda-runtime"
            ) from error
        for name, buffer in self._buffers.items():
            if not self._context.set_tensor_address(name, buffer.ptr):
                raise UserError(f"{file} has no tensor {name!r}: export the bundle again")

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
        for name, array in inputs.items():
            self._buffers[name].copy_from(array, self._stream)
        if not self._context.execute_async_v3(self._stream.ptr):
            raise UserError("TensorRT could not run the engine: export the bundle again on this machine")
        # New arrays: what was answered before stays as it was.
        answers = {name: np.empty(spec.shape, spec.dtype) for name, spec in self._outputs.items()}
        for name, answer in answers.items():
            self._buffers[name].copy_to(answer, self._stream)
        self._stream.synchronize()
        return answers

    def free(self) -> None:
        for buffer in self._buffers.values():
            buffer.free()
        self._context = self._engine = None
        self._stream.free()


def _context(file: Path, tensorrt: TensorRT, cuda_graph: bool) -> tuple[Any, Any]:
    """The engine and a context to run it in; a `UserError` in one line if TensorRT will not have it."""
    trt = tensorrt.module
    tensorrt.errors.clear()
    engine = trt.Runtime(tensorrt.logger).deserialize_cuda_engine(file.read_bytes())
    if engine is None:
        raise UserError(f"{file} cannot be deserialised ({'; '.join(tensorrt.errors[:1])}): {_AGAIN}")
    if tensorrt.flavour.name != "tensorrt-rtx":
        return engine, engine.create_execution_context()
    config = engine.create_runtime_config()
    strategies = trt.CudaGraphStrategy
    config.cuda_graph_strategy = strategies.WHOLE_GRAPH_CAPTURE if cuda_graph else strategies.DISABLED
    return engine, engine.create_execution_context(config)


_AGAIN = "export it again on this machine"


def _checked_record(name: str, file: Path, tensors: ComponentTensors) -> EngineRecord:
    record = read_record(file)
    check_engine(file, record)
    for side, recorded, declared in (
        ("inputs", record.inputs, engine_tensors(tensors.inputs)),
        ("outputs", record.outputs, engine_tensors(tensors.outputs)),
    ):
        if sorted(recorded, key=str) != sorted(declared, key=str):
            found, wanted = (", ".join(f"{t.name} {t.dtype} {t.shape}" for t in side) for side in (recorded, declared))
            raise UserError(f"{name}: the engine has {side} {found}, the manifest says {wanted}: export it again")
    return record


def _check_version(record: EngineRecord, tensorrt: TensorRT) -> None:
    if (record.flavour, record.version) != (tensorrt.flavour.name, tensorrt.version):
        raise NoDeviceError(
            f"the engine of {record.component} is for {record.flavour} {record.version}, here is "
            f"{tensorrt.flavour.name} {tensorrt.version}: pip install {record.flavour}=={record.version}, or {_AGAIN}"
        )


def _check_gpu(record: EngineRecord, gpu: Gpu) -> None:
    own = "{}.{}".format(*gpu.compute_capability)
    fits = own in record.compute_capabilities if record.compute_capabilities else gpu.compute_capability >= _OLDEST
    if not fits:
        wanted = " or ".join(record.compute_capabilities) or "8.0 and newer"
        raise NoDeviceError(
            f"the engine of {record.component} is for compute capability {wanted}, here is {gpu}: {_AGAIN}"
        )
