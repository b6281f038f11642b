"""Where arithmetic in bfloat16 is worth it, and recipes in it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch

from lite_vton_training.loop.fit import LoopConfig

__all__ = ["bf16_pays", "in_bf16"]

_Recipe = TypeVar("_Recipe")


def bf16_pays() -> bool:
    """Whether this machine multiplies bfloat16 matrices in hardware; elsewhere it would be slower than float32."""
    found = torch.cpu.get_capabilities()
    # AVX-512's bfloat16 dot products (EPYC of 2022): a training step of the demo student takes 0.55 of float32's time.
    return torch.cuda.is_available() or any(bool(found.get(name)) for name in ("amx_bf16", "avx512_bf16"))


def in_bf16(recipe: _Recipe) -> _Recipe:
    """The same frozen dataclass, every `LoopConfig` in it, at whatever depth, in bfloat16."""
    made: Any = _in_bf16(recipe)
    return made  # type: ignore[no-any-return]


def _in_bf16(part: Any) -> Any:
    if isinstance(part, LoopConfig):
        return replace(part, bf16=True)
    if isinstance(part, tuple):
        return tuple(_in_bf16(each) for each in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{each.name: _in_bf16(getattr(part, each.name)) for each in fields(part)})
    return part
