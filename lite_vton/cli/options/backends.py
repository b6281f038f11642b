"""What runs a bundle."""

from __future__ import annotations

from typing import Annotated

from lite_vton.cli.options.declaring import MOST, grouped

__all__ = [
    "Backend",
    "Backends",
    "Fused",
    "LowMemory",
    "Precision",
    "Precisions",
    "Provider",
    "Runs",
    "Targets",
    "Warmup",
]

_option = grouped("Backend")

Backend = Annotated[
    str, _option("--backend", names="backend", help="Backend that runs the bundle: see `lite-vton formats`.")
]
Backends = Annotated[
    str,
    _option("--backend", names="backend", help="Comma-separated; default: all that the bundle and this machine have."),
]
Precision = Annotated[
    str | None,
    _option("--precision", names="precision", help="Precision of the artifact; default: the first the bundle has."),
]
Precisions = Annotated[str, _option("--precision", names="precision", help="Comma-separated; default: all there are.")]
Provider = Annotated[
    str | None,
    _option(
        "--provider",
        names="provider",
        help="ONNX Runtime's: cpu, cuda, tensorrt, coreml, openvino, xnnpack or directml; default: cpu.",
    ),
]
LowMemory = Annotated[bool, _option("--low-memory", help="One network in memory at a time; the same picture.")]
Fused = Annotated[
    bool, _option("--fused", help="Run the graph of a whole try-on (`export --fused`); the same picture.")
]
Targets = Annotated[str, _option("--target", help="Comma-separated component names, try_on or fused; default: all.")]
Warmup = Annotated[int, _option("--warmup", min=0, max=MOST, help="Runs that are not timed.")]
Runs = Annotated[int, _option("--runs", min=1, max=MOST, help="Timed runs of each row.")]
