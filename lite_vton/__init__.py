"""What a try-on is: pictures, keypoints, masks, warps, presets and the bundle on disk.

from lite_vton import TryOn
with TryOn("bundle", backend="onnxruntime", precision="fp16") as model:
    result = model(inputs, steps=8, seed=0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lite_vton.errors import UserError
from lite_vton.libraries.telemetry import switch_off
from lite_vton.messages.choices import one_of
from lite_vton.messages.commands import how_to_add
from lite_vton.version import __version__

if TYPE_CHECKING:
    from types import TracebackType

    from lite_vton.bundle import Bundle, FusedArtifact
    from lite_vton.tryon.inputs import TryOnInputs
    from lite_vton_runtimes.base import Runtime
    from lite_vton_runtimes.sampling.pipeline import TryOnResult
    from lite_vton_runtimes.sampling.sampler import Step

__all__ = ["BACKENDS", "Bundle", "TryOn", "UserError", "__version__", "load"]

switch_off()


def __getattr__(name: str) -> Any:
    # A bundle takes pydantic and numpy, half a second that neither a help text nor a completion should wait for.
    if name == "Bundle":
        from lite_vton.bundle import Bundle

        return Bundle
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class Backend:
    """One way to run a bundle: which precisions it has, which artifacts it reads, how it opens, if fused ones too."""

    name: str
    artifact: str | None
    precisions: tuple[str, ...]
    open: Callable[[Bundle, str, str | None, bool], Runtime]
    fused: bool = False


def _open_onnxruntime(bundle: Bundle, precision: str, provider: str | None, fused: bool) -> Runtime:
    from lite_vton_runtimes.onnxruntime.runtime import OnnxRuntime

    return OnnxRuntime(bundle, precision, (provider or "cpu",), fused=fused)


def _open_coreai(bundle: Bundle, precision: str, provider: str | None, fused: bool) -> Runtime:
    if provider is not None:
        raise UserError(f"backend 'coreai' has no execution provider {provider!r}: leave it out")
    from lite_vton_runtimes.coreai.runtime import CoreAIRuntime

    return CoreAIRuntime(bundle, precision, fused=fused)


def _open_openvino(bundle: Bundle, precision: str, provider: str | None, fused: bool) -> Runtime:
    if provider is not None:
        raise UserError(f"backend 'openvino' has no execution provider {provider!r}: leave it out")
    try:
        from lite_vton_runtimes.openvino.runtime import OpenVinoRuntime
    except ModuleNotFoundError as error:
        raise UserError(
            f"backend 'openvino' needs the package {error.name}: pip install 'lite-vton[openvino]'"
        ) from error

    return OpenVinoRuntime(bundle, precision, fused=fused)


def _open_tensorrt(bundle: Bundle, precision: str, provider: str | None, fused: bool) -> Runtime:
    if provider is not None:
        raise UserError(f"backend 'tensorrt' has no execution provider {provider!r}: leave it out")
    from lite_vton_runtimes.tensorrt.runtime import TensorRTRuntime

    try:
        return TensorRTRuntime(bundle, precision, fused=fused)
    except ModuleNotFoundError as error:
        raise UserError(
            f"backend 'tensorrt' needs the package {error.name}: pip install 'lite-vton[tensorrt]'"
        ) from error


def _open_torch(bundle: Bundle, _precision: str, provider: str | None, _fused: bool) -> Runtime:
    if provider is not None:
        raise UserError(f"backend 'torch' has no execution provider {provider!r}: leave it out")
    try:
        from lite_vton.model.components import wrapped
        from lite_vton.model.networks import load_networks
        from lite_vton_runtimes.torch.runtime import TorchRuntime
    except ModuleNotFoundError as error:
        raise UserError(f"backend 'torch' needs the package {error.name}: pip install 'lite-vton[export]'") from error

    weights = bundle.path("weights/autoencoder.safetensors"), bundle.path("weights/unet.safetensors")
    networks = load_networks(bundle.manifest.model, *weights)
    return TorchRuntime(wrapped(networks), bundle.manifest.components)


BACKENDS: Mapping[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend("onnxruntime", "onnx", ("fp32", "fp16", "int8", "w8"), _open_onnxruntime, fused=True),
        Backend("openvino", "openvino", ("fp32", "fp16", "bf16", "int8"), _open_openvino, fused=True),
        Backend("tensorrt", "tensorrt", ("fp32", "fp16"), _open_tensorrt, fused=True),
        Backend("coreai", "coreai", ("fp32", "fp16"), _open_coreai, fused=True),
        Backend("torch", None, ("fp32",), _open_torch),
    )
}
"""Every backend of this version, by name."""


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
    Raises `UserError` for an unknown backend, a precision it does not have, or a bundle without the artifact.
    """
    chosen = BACKENDS[one_of("backend", backend, BACKENDS)]
    if precision not in chosen.precisions:
        raise UserError(f"backend {backend!r} has no precision {precision!r}: choose {' or '.join(chosen.precisions)}")
    opened = _opened(bundle)
    folder = f"{chosen.artifact}-{precision}"
    if fused and not chosen.fused:
        able = ", ".join(row.name for row in BACKENDS.values() if row.fused)
        raise UserError(f"backend {backend!r} has no fused form: choose one of {able}, or leave --fused out")
    if not fused and chosen.artifact is not None and folder not in opened.manifest.artifacts:
        raise UserError(f"{opened.given} holds no {folder}: {how_to_add(opened, chosen.artifact, precision)}")
    return chosen.open(opened, precision, provider, fused)


class TryOn:
    """A bundle on one backend, ready to dress people. A context manager; `close` frees the backend.

    `low_memory` holds one network at a time, loaded for each try-on anew (`lite_vton_runtimes.one_at_a_time`). With
    `fused` the whole try-on is one graph, of a bundle that was exported so. The picture is the same. `UserError` for a
    backend that cannot.
    """

    def __init__(
        self,
        bundle: Bundle | Path | str,
        backend: str = "onnxruntime",
        precision: str = "fp32",
        *,
        provider: str | None = None,
        low_memory: bool = False,
        fused: bool = False,
    ) -> None:
        self.bundle = _opened(bundle)
        self.runtime = load(self.bundle, backend, precision, provider=provider, fused=fused)
        self._fused: FusedArtifact | None = None
        if fused:
            from lite_vton_runtimes.fused import fused_artifact

            if low_memory:
                raise UserError("a fused graph is one network: leave --low-memory or --fused out")
            self._fused = fused_artifact(self.bundle, str(BACKENDS[backend].artifact), precision)
        if low_memory:
            from lite_vton_runtimes.one_at_a_time import OneAtATime

            self.runtime = OneAtATime(self.runtime)

    def __call__(
        self,
        inputs: TryOnInputs,
        *,
        steps: int | None = None,
        sampler: str | None = None,
        seed: int = 0,
        detail: bool = True,
        on_step: Callable[[Step], None] | None = None,
    ) -> TryOnResult:
        """Sample one try-on; steps and sampler default to the bundle's own. Same seed, same picture, any backend.

        `detail` carries what is finer than the latents over from the warped garment (`lite_vton.tryon.detail`). A fused
        graph shows no steps, and has sampler and detail inside: `UserError` for others, and for `on_step`.
        """
        if self._fused is not None:
            from lite_vton_runtimes.fused import check_choices, try_on_fused

            check_choices(self._fused, steps=steps, method=sampler)
            if on_step is not None or not detail:
                raise UserError("a fused graph shows no steps and carries detail over: leave fused out for others")
            if steps is None:
                steps = self._fused.steps or self.bundle.manifest.default_steps
            return try_on_fused(self.runtime, inputs, self._fused, steps=steps, seed=seed)
        from lite_vton_runtimes.sampling.pipeline import try_on

        manifest = self.bundle.manifest
        return try_on(
            self.runtime,
            inputs,
            manifest.model,
            manifest.latent_scale,
            method=manifest.default_sampler if sampler is None else sampler,
            steps=manifest.default_steps if steps is None else steps,
            seed=seed,
            detail=detail,
            on_step=on_step,
        )

    def close(self) -> None:
        """Free the backend's sessions and memory."""
        self.runtime.close()

    def __enter__(self) -> TryOn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _opened(bundle: Bundle | Path | str) -> Bundle:
    from lite_vton.bundle import Bundle

    return bundle if isinstance(bundle, Bundle) else Bundle.open(Path(bundle))
