"""One component to TensorRT engines, one a precision, each with the record of what it was built from.

`model.engine` is built from the very ONNX file that ONNX Runtime gets, as a strongly typed network: the precision
stands in the ONNX, and TensorRT may not choose another. TF32 is off, so that float32 is float32. TensorRT-RTX builds
ahead of time, without a GPU, for Ampere and newer, data-centre Hopper and Blackwell excepted; classic TensorRT builds
on the GPU that it is to run on.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import nn

from lite_vton.atomic import scratch_folder
from lite_vton.bundle import ComponentTensors
from lite_vton.errors import UserError
from lite_vton.model.components import ComponentSpec
from lite_vton.presets.config import ModelConfig
from lite_vton_export.onnx.precision import kept_in_float32
from lite_vton_export.onnx.write import export_onnx
from lite_vton_export.precision.half_safety import HalfSafety
from lite_vton_export.tensorrt.cache import cache_folder, engine_from_cache
from lite_vton_runtimes.tensorrt.engine import EngineRequest, engine_tensors
from lite_vton_runtimes.tensorrt.library import TensorRT, load_tensorrt, quiet
from lite_vton_runtimes.tensorrt.nvidia import first_gpu

__all__ = ["PRECISIONS", "build_engine", "engine_request", "export_tensorrt", "this_machine"]

PRECISIONS = ("fp32", "fp16")


def export_tensorrt(
    module: nn.Module | None,
    spec: ComponentSpec,
    config: ModelConfig,
    folders: Mapping[str, Path],
    *,
    latent_scale: float = 1.0,
    calibration: Sequence[Mapping[str, NDArray[Any]]] = (),  # noqa: ARG001  # every exporter is called alike
    safety: HalfSafety | None = None,
    compute_capabilities: Sequence[str] = (),
) -> dict[str, Path]:
    """Write `model.engine` and `model.json` into each folder of `folders`, a folder a precision; the engines' paths.

    Where a folder lies beside an `onnx-<precision>` folder of the same bundle, that one's file is built from; else the
    module is exported to a temporary one, with what `safety` keeps in float32 at fp16. `compute_capabilities`, such as
    "8.9", narrow what TensorRT-RTX builds for;
    empty, Ampere and newer. Built engines are kept (`lite_vton_export.tensorrt.cache`) under a hash of the record.
    Raises `UserError` for an unknown precision and for what TensorRT cannot build, `ModuleNotFoundError` without it.
    """
    for precision in folders:
        if precision not in PRECISIONS:
            raise UserError(f"engines are not built in {precision!r}: choose one of {', '.join(PRECISIONS)}")
    tensorrt = load_tensorrt()
    targets = _targets(tensorrt, compute_capabilities)
    with scratch_folder() as temporary:
        sources = {precision: _sibling(folder, precision) for precision, folder in folders.items()}
        missing = {p: temporary / p for p, source in sources.items() if not source.is_file()}
        if missing:
            sources |= export_onnx(module, spec, config, missing, latent_scale=latent_scale, safety=safety)
        paths = {}
        for precision, folder in folders.items():
            source = sources[precision]
            tensors = ComponentTensors(inputs=spec.inputs(config), outputs=spec.outputs(config))
            request = engine_request(source, config.name, spec.name, precision, tensors, tensorrt, targets)

            def build(source: Path = source, request: EngineRequest = request) -> memoryview:
                return build_engine(source, request, tensorrt)

            paths[precision] = engine_from_cache(request, build, folder, cache_folder())
        return paths


def engine_request(
    onnx: Path,
    model: str,
    component: str,
    precision: str,
    tensors: ComponentTensors,
    tensorrt: TensorRT,
    compute_capabilities: Sequence[str],
) -> EngineRequest:
    """What is asked for when the TensorRT that is here builds an engine from an ONNX file on this machine."""
    return EngineRequest(
        flavour=tensorrt.flavour.name,
        version=tensorrt.version,
        built_on=this_machine(),
        compute_capabilities=tuple(compute_capabilities),
        model=model,
        component=component,
        precision=precision,
        onnx_sha256=_sha256(onnx),
        inputs=engine_tensors(tensors.inputs),
        outputs=engine_tensors(tensors.outputs),
        float32_products=len(kept_in_float32(onnx)),
    )


def this_machine() -> str:
    """System, processor and GPU, such as "Linux x86_64, no NVIDIA GPU": an engine may depend on where it was built."""
    return f"{platform.system()} {platform.machine()}, {first_gpu() or 'no NVIDIA GPU'}"


def build_engine(onnx: Path, request: EngineRequest, tensorrt: TensorRT) -> memoryview:
    """The engine of an ONNX file, serialised; a `UserError` with TensorRT's own words if it cannot be built."""
    from polygraphy.backend.trt import engine_bytes_from_network
    from polygraphy.exception import PolygraphyException

    trt = tensorrt.module
    tensorrt.errors.clear()
    builder = trt.Builder(tensorrt.logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, tensorrt.logger)
    if not parser.parse_from_file(str(onnx)):
        reason = _parser_reason(parser.get_error(0)) if parser.num_errors else "no valid ONNX file"
        raise UserError(_cannot(request, reason))
    network.name = f"{request.model} {request.component} {request.precision}"
    try:
        with quiet():
            engine = engine_bytes_from_network((builder, network), config=_config(tensorrt, request))
    except PolygraphyException as error:
        reason = tensorrt.errors[0] if tensorrt.errors else str(error).splitlines()[0]
        raise UserError(_cannot(request, reason)) from error
    return memoryview(engine)


def _parser_reason(error: Any) -> str:
    """What TensorRT's parser found, such as "Det node_det: unsupported node"."""
    if not error.node_operator():
        return str(error.desc())
    code = error.code().name.lower().replace("_", " ")
    detail = "" if error.desc() == "false" else f", {error.desc()}"  # the text of an assertion, not always of use
    return f"{error.node_operator()} {error.node_name()}: {code}{detail}"


def _config(tensorrt: TensorRT, request: EngineRequest) -> Callable[[Any, Any], Any]:
    """Polygraphy's builder configuration for a request, as a function of builder and network."""
    from polygraphy.backend.tensorrt_rtx import CreateConfigRTX
    from polygraphy.backend.trt import CreateConfig

    trt = tensorrt.module
    verbosity = getattr(trt.ProfilingVerbosity, request.profiling_verbosity)
    if tensorrt.flavour.name == "tensorrt":
        create = CreateConfig(profiling_verbosity=verbosity)
    else:
        pairs = [tuple(int(part) for part in text.split(".")) for text in request.compute_capabilities]
        create = CreateConfigRTX(profiling_verbosity=verbosity, compute_capabilities=pairs or None)

    def configure(builder: Any, network: Any) -> Any:
        config = create(builder, network)
        if not request.tf32:  # on by default, and CreateConfigRTX (Polygraphy 0.53) has no word for it
            config.clear_flag(trt.BuilderFlag.TF32)
        return config

    return configure


def _targets(tensorrt: TensorRT, asked: Sequence[str]) -> tuple[str, ...]:
    if tensorrt.flavour.name == "tensorrt-rtx":
        return tuple(asked)
    gpu = first_gpu()
    if gpu is None:
        raise UserError("classic TensorRT builds only where there is an NVIDIA GPU: pip install 'lite-vton[tensorrt]'")
    return ("{}.{}".format(*gpu.compute_capability),)


def _sibling(folder: Path, precision: str) -> Path:
    """The ONNX file of the same component and precision in the same bundle, if the bundle has one."""
    return folder.parent.parent / f"onnx-{precision}" / folder.name / "model.onnx"


def _sha256(onnx: Path) -> str:
    """Over the file, and the weights beside it where it was too large for one."""
    digest = hashlib.sha256()
    for path in sorted(onnx.parent.glob(f"{onnx.name}*")):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _cannot(request: EngineRequest, reason: str) -> str:
    words = " ".join(reason.split())
    return f"{request.flavour} cannot build {request.component} in {request.precision} ({words}): export onnx instead"
