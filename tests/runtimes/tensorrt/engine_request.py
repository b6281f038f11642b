"""What an engine of the tiny U-Net is asked to be built from."""

from __future__ import annotations

from lite_vton_runtimes.tensorrt.engine import EngineRequest, EngineTensor

__all__ = ["REQUEST"]

REQUEST = EngineRequest(
    flavour="tensorrt-rtx",
    version="1.7.1.116",
    built_on="Linux x86_64, no NVIDIA GPU",
    compute_capabilities=(),
    model="tiny",
    component="unet",
    precision="fp16",
    onnx_sha256="0" * 64,
    inputs=(EngineTensor(name="sample", shape=(1, 13, 8, 6), dtype="float32"),),
    outputs=(EngineTensor(name="out_sample", shape=(1, 4, 8, 6), dtype="float32"),),
)
