"""Whether TensorRT-RTX runs an engine on this machine, asked of TensorRT-RTX itself before the engine is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from lite_vton.errors import UserError
from lite_vton_runtimes.base import NoDeviceError
from lite_vton_runtimes.tensorrt.library import TensorRT

__all__ = ["check_validity"]

_MALFORMED = "MALFORMED_ENGINE"
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        _MALFORMED: "export it again",
        "VERSION_MISMATCH": "export it again on this machine",
        "UNSUPPORTED_CC": "use backend onnxruntime, or classic TensorRT (pip install tensorrt, and export it again "
        "with POLYGRAPHY_USE_TENSORRT_RTX=0)",
        "OLD_CUDA_DRIVER": "update the NVIDIA driver",
        "OLD_CUDA_RUNTIME": "update CUDA",
        "INSUFFICIENT_GPU_MEMORY": "end what else is on the GPU",
    }
)
"""What to do, by the name of `EngineInvalidityDiagnostics`; in the order in which one is named."""
_OTHERWISE = "see whether nvidia-smi works"


def check_validity(engine: Path, tensorrt: TensorRT) -> None:
    """That TensorRT-RTX will run `engine` on the GPU that is here, as far as the engine's head tells.

    It runs on some GPUs and not on every newer one: Hopper is not among them. Raises `NoDeviceError` with its reason
    and what to do; `UserError` for a file that is no engine at all.
    """
    trt = tensorrt.module
    tensorrt.errors.clear()
    runtime = trt.Runtime(tensorrt.logger)
    with engine.open("rb") as file:
        validity, diagnostics = runtime.get_engine_validity(file.read(runtime.engine_header_size))
    if validity != trt.EngineValidity.INVALID:
        return
    found = [name for name, kind in trt.EngineInvalidityDiagnostics.__members__.items() if int(diagnostics) & int(kind)]
    reason = tensorrt.errors[0] if tensorrt.errors else ", ".join(n.lower().replace("_", " ") for n in found)
    remedy = next((text for name, text in _REMEDIES.items() if name in found), _OTHERWISE)
    kind = UserError if _MALFORMED in found else NoDeviceError
    raise kind(f"TensorRT-RTX {tensorrt.version} cannot run {engine} here ({reason or 'no reason given'}): {remedy}")
