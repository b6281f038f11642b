"""A module in float16 as the other formats have it: products in half, statistics in float32, float32 at both ends."""

from __future__ import annotations

import copy

import torch
from torch import nn

__all__ = ["in_half_precision"]


def in_half_precision(module: nn.Module) -> nn.Module:
    """A copy of `module` that computes in float16 between float32 inputs and outputs; integers pass as they are.

    Normalisations stay in float32, weights included: they sum over thousands of values, and float16 has 11 bits of
    mantissa (as `export.precision.FP32_OPS` for ONNX).
    """
    half = copy.deepcopy(module).half()
    _keep_statistics(half)
    return _Float32Ends(half).eval()


def _keep_statistics(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm | nn.LayerNorm):
            setattr(module, name, _Float32Norm(child))
        else:
            _keep_statistics(child)


class _Float32Norm(nn.Module):
    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm.float()

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = self.norm(sample.float())
        return normalised.to(sample.dtype)


class _Float32Ends(nn.Module):
    def __init__(self, half: nn.Module) -> None:
        super().__init__()
        self.half_module = half

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        given = [tensor.half() if tensor.is_floating_point() else tensor for tensor in inputs]
        answer: torch.Tensor = self.half_module(*given)
        return answer.float()
