"""The names there are of everything that is chosen by name: what a shell completes, and what is checked first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import get_args

from lite_vton.category import Category
from lite_vton.presets.config import MaskKind
from lite_vton.presets.table import PRESETS
from lite_vton_export.formats import FORMATS
from lite_vton_runtimes.backends import BACKENDS

__all__ = ["DISTILLATIONS", "LAYOUTS", "NAMES", "STARTS", "WAYS", "completing"]

DISTILLATIONS = (
    "none",
    "output",
    "feature",
    "factor",
    "relation",
    "caad",
    "caad-local",
    "caad-placed",
    "caad-sharp",
)
"""The rows of `lite_vton_training.trainers.losses.DISTILLATIONS`, known without importing torch; a test holds them
equal.
"""

LAYOUTS = ("stable-diffusion", "inpainting", "paint-by-example", "stableviton", "lite-vton")
"""The rows of `lite_vton.model.importing.channel_layouts.LAYOUTS`, likewise."""

STARTS = ("slim", "random")
"""A student's first weights: its teacher's, cut down, or chance."""

WAYS = ("trajectory", "consistency", "truth", "progressive")
"""`lite_vton_training.trainers.few_steps.METHODS`, and stages that halve the steps one after another."""


def completing(kind: str) -> Callable[[str], list[str]]:
    """For typer's `autocompletion`: the names of `NAMES[kind]` that begin so; after a comma, of the last word."""

    def names(incomplete: str) -> list[str]:
        done, comma, begun = incomplete.rpartition(",")
        return [f"{done}{comma}{name}" for name in NAMES[kind]() if name.startswith(begun)]

    return names


def _backends() -> Iterable[str]:
    return BACKENDS


def _categories() -> Iterable[str]:
    return get_args(Category)


def _formats() -> Iterable[str]:
    from lite_vton_export.bundle.plan import ALL

    return (*FORMATS, ALL)


def _precisions() -> Iterable[str]:
    from lite_vton_export.bundle.plan import ALL

    return (*dict.fromkeys(precision for row in FORMATS.values() for precision in row.precisions), ALL)


def _masks() -> Iterable[str]:
    return get_args(MaskKind)


def _presets() -> Iterable[str]:
    return PRESETS


def _providers() -> Iterable[str]:
    from lite_vton_runtimes.onnxruntime.providers import PROVIDERS

    return PROVIDERS


def _samplers() -> Iterable[str]:
    from lite_vton_runtimes.sampling.methods import METHODS

    return METHODS


NAMES: Mapping[str, Callable[[], Iterable[str]]] = MappingProxyType(
    {
        "backend": _backends,
        "category": _categories,
        "distillation": lambda: DISTILLATIONS,
        "format": _formats,
        "layout": lambda: LAYOUTS,
        "mask": _masks,
        "precision": _precisions,
        "preset": _presets,
        "provider": _providers,
        "sampler": _samplers,
        "start": lambda: STARTS,
        "way to few steps": lambda: WAYS,
    }
)
"""By kind, the names there are. A table is imported when somebody completes, and none of them imports torch."""
