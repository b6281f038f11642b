"""Where arithmetic in bfloat16 is worth it."""

from __future__ import annotations

import torch

__all__ = ["bf16_pays"]


def bf16_pays() -> bool:
    """Whether this machine multiplies bfloat16 matrices in hardware; elsewhere it would be slower than float32."""
    return torch.cuda.is_available() or bool(torch.cpu.get_capabilities().get("amx_bf16", False))
