"""Opening a bundle on the backend, precision and provider that were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lite_vton.cli.choices import one_of
from lite_vton.errors import UserError

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle
    from runtimes.base import Runtime

__all__ = ["open_runtime", "usable_precision"]


def usable_precision(bundle: Bundle, backend: str, asked: str | None = None) -> str:
    """The precision asked for, or the first that both the backend and the bundle have."""
    from lite_vton import BACKENDS

    chosen = BACKENDS[one_of("backend", backend, BACKENDS)]
    if asked is not None:
        return one_of(f"precision of {backend}", asked, chosen.precisions)
    held = [
        p for p in chosen.precisions if chosen.artifact is None or f"{chosen.artifact}-{p}" in bundle.manifest.artifacts
    ]
    if not held:
        raise UserError(
            f"{bundle.root} holds nothing for {backend}: export it "
            f"(`lite-vton export {bundle.manifest.model.name} --format {chosen.artifact}`)"
        )
    return held[0]


def open_runtime(bundle: Bundle, backend: str, precision: str, provider: str | None = None) -> Runtime:
    """The bundle, loaded; `provider` is one of ONNX Runtime's execution providers."""
    from lite_vton import load

    if provider is None:
        return load(bundle, backend, precision)
    if backend != "onnxruntime":
        raise UserError(f"--provider is an option of onnxruntime, not of {backend}: leave it out")
    from runtimes.onnxruntime_runtime import OnnxRuntime

    return OnnxRuntime(bundle, precision, (provider,))
