"""Operations on one number at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch.nn import functional

from lite_vton_export.coreml.evaluator.values import Operands, Operation, rounded

__all__ = ["ELEMENTWISE"]


def _of_one(function: Callable[[torch.Tensor], torch.Tensor]) -> Operation:
    return lambda given: function(given["x"])


def _of_two(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Operation:
    return lambda given: function(given["x"], given["y"])


def _real_div(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Of integers too, then rounded down."""
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="floor")


def _gelu(given: Operands) -> torch.Tensor:
    x, mode = given["x"], given.word("mode", "EXACT")
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return functional.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


def _cast(given: Operands) -> torch.Tensor:
    return rounded(given["x"], given.word("dtype"))


def _select(given: Operands) -> torch.Tensor:
    return torch.where(given["cond"].bool(), given["a"], given["b"])


ELEMENTWISE: Mapping[str, Operation] = MappingProxyType(
    {
        "abs": _of_one(torch.abs),
        "cos": _of_one(torch.cos),
        "erf": _of_one(torch.erf),
        "exp": _of_one(torch.exp),
        "floor": _of_one(torch.floor),
        "identity": _of_one(lambda x: x),
        "logical_not": _of_one(torch.logical_not),
        "relu": _of_one(torch.relu),
        "round": _of_one(torch.round),
        "sigmoid": _of_one(torch.sigmoid),
        "silu": _of_one(functional.silu),
        "sin": _of_one(torch.sin),
        "softplus": _of_one(functional.softplus),
        "sqrt": _of_one(torch.sqrt),
        "square": _of_one(torch.square),
        "tanh": _of_one(torch.tanh),
        "inverse": lambda given: 1 / (given["x"] + given.number("epsilon", 1e-4)),
        "log": lambda given: torch.log(given["x"] + given.number("epsilon", 1e-45)),
        "rsqrt": lambda given: torch.rsqrt(given["x"] + given.number("epsilon", 1e-12)),
        "clip": lambda given: given["x"].clamp(given.number("alpha"), given.number("beta")),
        "leaky_relu": lambda given: functional.leaky_relu(given["x"], given.number("alpha", 0.01)),
        "gelu": _gelu,
        "cast": _cast,
        "select": _select,
        "add": _of_two(torch.add),
        "sub": _of_two(torch.sub),
        "mul": _of_two(torch.mul),
        "real_div": _of_two(_real_div),
        "floor_div": _of_two(lambda x, y: torch.div(x, y, rounding_mode="floor")),
        "mod": _of_two(torch.remainder),
        "pow": _of_two(torch.pow),
        "maximum": _of_two(torch.maximum),
        "minimum": _of_two(torch.minimum),
        "equal": _of_two(torch.eq),
        "not_equal": _of_two(torch.ne),
        "greater": _of_two(torch.gt),
        "greater_equal": _of_two(torch.ge),
        "less": _of_two(torch.lt),
        "less_equal": _of_two(torch.le),
        "logical_and": _of_two(torch.logical_and),
        "logical_or": _of_two(torch.logical_or),
    }
)
