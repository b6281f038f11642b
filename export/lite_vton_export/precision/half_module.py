"""A module in float16 as the other formats have it: products in half, statistics in float32, float32 at both ends."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import torch
from torch import nn

__all__ = ["in_half_precision"]

_STATISTICS = (nn.GroupNorm, nn.LayerNorm)


def in_half_precision(module: nn.Module, keep: Collection[str] = ()) -> nn.Module:
    """A copy of `module` that computes in float16 between float32 inputs and outputs; integers pass as they are.

    Normalisations stay in float32, weights included: they sum over thousands of values, and float16 has 11 bits of
    mantissa (as `lite_vton_export.precision.rules.FP32_OPS` for ONNX). `keep` holds paths of modules that stay in
    float32 too (`lite_vton_export.precision.half_safety.unsafe_modules`): they give float32, which whatever adds to it
    then is as well, and which the next layer in float16 rounds.
    """
    half = copy.deepcopy(module)
    for path, part in half.named_modules():
        if path not in keep:
            _halve(part)
        if keep and not isinstance(part, _STATISTICS) and (path in keep or _has_weights(part)):
            wanted = torch.float32 if path in keep else torch.float16
            part.register_forward_pre_hook(_Cast(wanted), with_kwargs=True)
    _keep_statistics(half, keep)
    return _Float32Ends(half).eval()


def _has_weights(part: nn.Module) -> bool:
    return next(part.parameters(recurse=False), None) is not None


def _halve(part: nn.Module) -> None:
    """What `Module.half` does, to the module alone and not to those within it."""
    for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False)):
        if tensor.is_floating_point():
            tensor.data = tensor.data.half()


class _Cast:
    """Before a module is called: its floating-point inputs, by position and by name, as `dtype`."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    def __call__(
        self, _module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple(self._cast(value) for value in inputs), {name: self._cast(value) for name, value in named.items()}

    def _cast(self, value: Any) -> Any:
        return value.to(self._dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def _keep_statistics(module: nn.Module, keep: Collection[str], above: str = "") -> None:
    for name, child in module.named_children():
        if isinstance(child, _STATISTICS):
            setattr(module, name, _Float32Norm(child, returns_float32=f"{above}{name}" in keep))
        else:
            _keep_statistics(child, keep, f"{above}{name}.")


class _Float32Norm(nn.Module):
    def __init__(self, norm: nn.Module, *, returns_float32: bool) -> None:
        super().__init__()
        self.norm = norm.float()
        self._returns_float32 = returns_float32

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = self.norm(sample.float())
        return normalised if self._returns_float32 else normalised.to(sample.dtype)


class _Float32Ends(nn.Module):
    def __init__(self, half: nn.Module) -> None:
        super().__init__()
        self.half_module = half

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        given = [tensor.half() if tensor.is_floating_point() else tensor for tensor in inputs]
        answer: torch.Tensor = self.half_module(*given)
        return answer.float()
