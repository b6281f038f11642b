"""Which precision of a bundle a backend is to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lite_vton.cli.choices import one_of
from lite_vton.errors import UserError

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle

__all__ = ["usable_precision"]


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
