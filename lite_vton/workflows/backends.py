"""Which backends can run a bundle here, and in which precision."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of
from lite_vton.messages.commands import how_to_add
from lite_vton.workflows.extras import BACKEND_NEEDS, NEEDS_GPU, how_to_install, missing_of
from lite_vton_runtimes.backends import BACKENDS
from lite_vton_runtimes.tensorrt.nvidia import first_gpu

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle

__all__ = ["reason_not_to_run", "usable_backends", "usable_precision", "what_lacks"]


def usable_precision(bundle: Bundle, backend: str, asked: str | None = None) -> str:
    """The precision asked for, or the first that both the backend and the bundle have."""
    chosen = BACKENDS[one_of("backend", backend, BACKENDS)]
    if asked is not None:
        return one_of(f"precision of {backend}", asked, chosen.precisions)
    held = [
        p for p in chosen.precisions if chosen.artifact is None or f"{chosen.artifact}-{p}" in bundle.manifest.artifacts
    ]
    if not held:
        raise UserError(f"{bundle.given} holds nothing for {backend}: {how_to_add(bundle, str(chosen.artifact))}")
    return held[0]


def what_lacks(backend: str) -> str | None:
    """What of packages and devices a backend lacks here, and how to get it; None if nothing."""
    missing = missing_of(BACKEND_NEEDS.get(backend, ()))
    if missing:
        return f"needs {', '.join(missing)}: {how_to_install(missing)}"
    if backend in NEEDS_GPU:
        return None if first_gpu() is not None else "no NVIDIA GPU"
    return None


def reason_not_to_run(bundle: Bundle, backend: str) -> str | None:
    """Why a backend is not to be timed with this bundle on this machine unless it is asked for; None if it is."""
    artifact = BACKENDS[backend].artifact
    if artifact is None and bundle.manifest.weights is None:
        return "the bundle has no weights"
    if artifact is not None and artifact not in {row.format for row in bundle.manifest.artifacts.values()}:
        return f"not in the bundle: {how_to_add(bundle, artifact)}"
    lacking = what_lacks(backend)
    if lacking is None and backend == "coreai" and platform.system() != "Darwin":
        return "an interpreter here, its time is not that of Apple's devices: ask for it by name, --backend coreai"
    return lacking


def usable_backends(bundle: Bundle) -> tuple[Sequence[str], Sequence[str]]:
    """The backends to time by default, and a line for every other one with the reason."""
    reasons = {name: reason_not_to_run(bundle, name) for name in BACKENDS}
    usable = [name for name, reason in reasons.items() if reason is None]
    return usable, [f"{name}: {reason}" for name, reason in reasons.items() if reason is not None]
