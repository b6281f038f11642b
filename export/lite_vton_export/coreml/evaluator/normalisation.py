"""Sums and means over many numbers, and what is made with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from lite_vton_export.coreml.evaluator.values import Operands, Operation

__all__ = ["NORMALISATION"]


def _reduction(function: Callable[..., torch.Tensor]) -> Operation:
    def reduce(given: Operands) -> torch.Tensor:
        x = given["x"]
        axes = given.integers("axes") or list(range(x.dim()))
        return function(x, dim=axes, keepdim=given.flag("keep_dims"))

    return reduce


def _layer_norm(given: Operands) -> torch.Tensor:
    """Scale and offset have the shape of the normalised axes."""
    x = given["x"]
    axes = [axis % x.dim() for axis in given.integers("axes")] or list(range(x.dim()))
    shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.dim())]
    return _scaled(_normalised(x, axes, given.number("epsilon", 1e-5)), given, shape)


def _instance_norm(given: Operands) -> torch.Tensor:
    """Scale and offset are one number a channel."""
    x = given["x"]
    shape = [1, -1, *(1,) * (x.dim() - 2)]
    return _scaled(_normalised(x, list(range(2, x.dim())), given.number("epsilon", 1e-5)), given, shape)


def _batch_norm(given: Operands) -> torch.Tensor:
    x = given["x"]
    shape = [1, -1, *(1,) * (x.dim() - 2)]
    spread = torch.sqrt(given["variance"].view(shape) + given.number("epsilon", 1e-5))
    return _scaled((x - given["mean"].view(shape)) / spread, given, shape)


def _normalised(x: torch.Tensor, axes: list[int], epsilon: float) -> torch.Tensor:
    variance, mean = torch.var_mean(x, dim=axes, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + epsilon)


def _scaled(x: torch.Tensor, given: Operands, shape: list[int]) -> torch.Tensor:
    gamma, beta = given.maybe("gamma"), given.maybe("beta")
    x = x if gamma is None else x * gamma.view(shape)
    return x if beta is None else x + beta.view(shape)


def _softmax(given: Operands) -> torch.Tensor:
    return given["x"].softmax(given.integer("axis", -1))


NORMALISATION: Mapping[str, Operation] = MappingProxyType(
    {
        "reduce_mean": _reduction(torch.mean),
        "reduce_sum": _reduction(torch.sum),
        "reduce_max": _reduction(torch.amax),
        "reduce_min": _reduction(torch.amin),
        "layer_norm": _layer_norm,
        "instance_norm": _instance_norm,
        "batch_norm": _batch_norm,
        "softmax": _softmax,
    }
)
