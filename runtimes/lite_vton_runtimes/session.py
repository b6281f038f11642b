"""A bundle on one backend, ready to dress people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError
from lite_vton_runtimes.backends import BACKENDS, load, opened
from lite_vton_runtimes.fused import check_choices, fused_artifact, try_on_fused
from lite_vton_runtimes.one_at_a_time import OneAtATime
from lite_vton_runtimes.sampling.pipeline import TryOnResult, try_on

if TYPE_CHECKING:
    from types import TracebackType

    from lite_vton.bundle import Bundle, FusedArtifact
    from lite_vton.tryon.inputs import TryOnInputs
    from lite_vton_runtimes.sampling.sampler import Step

__all__ = ["TryOn"]


class TryOn:
    """A bundle on one backend, ready to dress people. A context manager; `close` frees the backend.

    `inputs` are what `lite_vton.tryon.photos.prepare_photos` makes of two photos.

    >>> from lite_vton import TryOn
    >>> with TryOn("bundle", backend="onnxruntime", precision="fp16") as model:
    ...     picture = model(inputs, steps=2, seed=0).picture
    >>> picture.shape
    (64, 48, 3)

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
        self.bundle = opened(bundle)
        self.runtime = load(self.bundle, backend, precision, provider=provider, fused=fused)
        self._fused: FusedArtifact | None = None
        if fused:
            if low_memory:
                raise UserError("a fused graph is one network: leave --low-memory or --fused out")
            self._fused = fused_artifact(self.bundle, str(BACKENDS[backend].artifact), precision)
        if low_memory:
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
            check_choices(self._fused, steps=steps, method=sampler)
            if on_step is not None or not detail:
                raise UserError("a fused graph shows no steps and carries detail over: leave fused out for others")
            if steps is None:
                steps = self._fused.steps or self.bundle.manifest.default_steps
            return try_on_fused(self.runtime, inputs, self._fused, steps=steps, seed=seed)
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
