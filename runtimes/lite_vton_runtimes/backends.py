"""Every backend in one table, and how a bundle is opened on one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of
from lite_vton.messages.commands import how_to_add

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle
    from lite_vton_runtimes.base import Runtime

__all__ = ["BACKENDS", "Backend", "load", "opened"]


@dataclass(frozen=True)
class Backend:
    """One way to run a bundle.

    name        what users call it
    artifact    the format of the artifacts that it reads; None where it runs the bundle's weights
    precisions  those it has, the first is its reference
    extra       what to install for it, as in `pip install 'lite-vton[extra]'`; None where lite-vton brings it along
    open        (bundle, precision, provider or None, whether the fused form) -> the open runtime
    fused       whether it runs artifacts that hold a whole try-on as one graph
    providers   whether it has execution providers to choose from
    """

    name: str
    artifact: str | None
    precisions: tuple[str, ...]
    extra: str | None
    open: Callable[[Bundle, str, str | None, bool], Runtime]
    fused: bool = True
    providers: bool = False


def load(
    bundle: Bundle | Path | str,
    backend: str = "onnxruntime",
    precision: str = "fp32",
    *,
    provider: str | None = None,
    fused: bool = False,
) -> Runtime:
    """Open `bundle` on `backend`; close the runtime when done.

    `provider` is one of ONNX Runtime's (`lite_vton_runtimes.onnxruntime.providers`: cpu, cuda, tensorrt, coreml,
    openvino, xnnpack, directml); it has to work, there is no silent fall to the CPU.

    With `fused` its one component is the whole try-on (`lite_vton_runtimes.fused`).

    >>> from lite_vton import load
    >>> runtime = load("bundle", "onnxruntime")
    >>> sorted(runtime.components)
    ['unet', 'vae_decoder', 'vae_encoder']
    >>> runtime.close()

    Raises `UserError` for an unknown backend, a precision it does not have, a bundle without the artifact, or a
    package that is not installed.
    """
    chosen = BACKENDS[one_of("backend", backend, BACKENDS)]
    if precision not in chosen.precisions:
        raise UserError(f"backend {backend!r} has no precision {precision!r}: choose {' or '.join(chosen.precisions)}")
    found = opened(bundle)
    folder = f"{chosen.artifact}-{precision}"
    if fused and not chosen.fused:
        able = ", ".join(row.name for row in BACKENDS.values() if row.fused)
        raise UserError(f"backend {backend!r} has no fused form: choose one of {able}, or leave --fused out")
    if not fused and chosen.artifact is not None and folder not in found.manifest.artifacts:
        raise UserError(f"{found.given} holds no {folder}: {how_to_add(found, chosen.artifact, precision)}")
    if provider is not None and not chosen.providers:
        raise UserError(f"backend {backend!r} has no execution provider {provider!r}: leave it out")
    try:
        return chosen.open(found, precision, provider, fused)
    except ModuleNotFoundError as error:
        if chosen.extra is None:
            raise
        extra = f"pip install 'lite-vton[{chosen.extra}]'"
        raise UserError(f"backend {backend!r} needs the package {error.name}: {extra}") from error


def opened(bundle: Bundle | Path | str) -> Bundle:
    """The bundle itself, or the one at that path."""
    from lite_vton.bundle import Bundle

    return bundle if isinstance(bundle, Bundle) else Bundle.open(Path(bundle))


def _open_onnxruntime(bundle: Bundle, precision: str, provider: str | None, fused: bool) -> Runtime:
    from lite_vton_runtimes.onnxruntime.runtime import OnnxRuntime

    return OnnxRuntime(bundle, precision, (provider or "cpu",), fused=fused)


def _open_openvino(bundle: Bundle, precision: str, _provider: str | None, fused: bool) -> Runtime:
    from lite_vton_runtimes.openvino.runtime import OpenVinoRuntime

    return OpenVinoRuntime(bundle, precision, fused=fused)


def _open_tensorrt(bundle: Bundle, precision: str, _provider: str | None, fused: bool) -> Runtime:
    from lite_vton_runtimes.tensorrt.runtime import TensorRTRuntime

    return TensorRTRuntime(bundle, precision, fused=fused)


def _open_coreai(bundle: Bundle, precision: str, _provider: str | None, fused: bool) -> Runtime:
    from lite_vton_runtimes.coreai.runtime import CoreAIRuntime

    return CoreAIRuntime(bundle, precision, fused=fused)


def _open_torch(bundle: Bundle, _precision: str, _provider: str | None, _fused: bool) -> Runtime:
    from lite_vton_runtimes.torch.weights import open_weights

    return open_weights(bundle)


BACKENDS: Mapping[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend("onnxruntime", "onnx", ("fp32", "fp16", "int8", "w8"), None, _open_onnxruntime, providers=True),
        Backend("openvino", "openvino", ("fp32", "fp16", "bf16", "int8"), "openvino", _open_openvino),
        Backend("tensorrt", "tensorrt", ("fp32", "fp16"), "tensorrt", _open_tensorrt),
        Backend("coreai", "coreai", ("fp32", "fp16"), "coreai", _open_coreai),
        Backend("torch", None, ("fp32",), "export", _open_torch, fused=False),
    )
}
"""Every backend of this version, by name."""
