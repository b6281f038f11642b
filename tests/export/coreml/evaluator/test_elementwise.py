from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

from coremltools.converters.mil.mil import Builder as mb  # noqa: N813  # what everybody calls it

Fixture = Callable[..., Any]


UNARY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "abs": torch.abs,
    "cos": torch.cos,
    "erf": torch.erf,
    "exp": torch.exp,
    "floor": torch.floor,
    "identity": lambda x: x,
    "relu": torch.relu,
    "round": torch.round,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "sin": torch.sin,
    "softplus": functional.softplus,
    "square": torch.square,
    "tanh": torch.tanh,
}


POSITIVE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "log": torch.log,
    "inverse": torch.reciprocal,
}


BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "real_div": torch.div,
    "floor_div": torch.floor_divide,
    "mod": torch.remainder,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}


COMPARING: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "equal": torch.eq,
    "not_equal": torch.ne,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
}


def test_functions_of_one_number(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    x = numbers(3, 5)
    found = computed(lambda x: [getattr(mb, kind)(x=x) for kind in UNARY], x)
    same(found, *(function(torch.from_numpy(x)) for function in UNARY.values()))


def test_functions_of_one_positive_number(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    x = np.abs(numbers(3, 5)) + 0.1
    small = {"sqrt": {}, "rsqrt": {"epsilon": 1e-12}, "log": {"epsilon": 1e-45}, "inverse": {"epsilon": 1e-20}}
    found = computed(lambda x: [getattr(mb, kind)(x=x, **small[kind]) for kind in POSITIVE], x)
    same(found, *(function(torch.from_numpy(x)) for function in POSITIVE.values()))


def test_functions_of_two_numbers_broadcast(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    x, y = numbers(3, 1, 5), numbers(4, 1)
    found = computed(lambda x, y: [getattr(mb, kind)(x=x, y=y) for kind in BINARY], x, y)
    same(found, *(function(torch.from_numpy(x), torch.from_numpy(y)) for function in BINARY.values()))
    found = computed(lambda x, y: mb.pow(x=x, y=y), np.abs(x), y)
    same(found, torch.from_numpy(np.abs(x)) ** torch.from_numpy(y))


def test_comparisons_and_what_is_made_of_them(computed: Fixture, same: Fixture, whole: Fixture) -> None:
    x, y = whole(0, 3, 4, 5), whole(0, 3, 4, 5)
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    found = computed(lambda x, y: [mb.cast(x=getattr(mb, k)(x=x, y=y), dtype="int32") for k in COMPARING], x, y)
    same(found, *(function(a, b).int() for function in COMPARING.values()))

    def logic(x: Any, y: Any) -> list[Any]:
        one, other = mb.greater(x=x, y=1), mb.less(x=y, y=2)
        both = (mb.logical_and(x=one, y=other), mb.logical_or(x=one, y=other), mb.logical_not(x=one))
        return [*(mb.cast(x=kind, dtype="int32") for kind in both), mb.select(cond=one, a=x, b=y)]

    over, under = a > 1, b < 2
    same(computed(logic, x, y), (over & under).int(), (over | under).int(), (~over).int(), torch.where(over, a, b))


@pytest.mark.parametrize("mode", ["EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"])
def test_gelu_in_each_of_its_modes(mode: str, computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    x = torch.from_numpy(numbers(20))
    expected = {
        "EXACT": functional.gelu(x),
        "TANH_APPROXIMATION": functional.gelu(x, approximate="tanh"),
        "SIGMOID_APPROXIMATION": x * torch.sigmoid(1.702 * x),
    }
    same(computed(lambda x: mb.gelu(x=x, mode=mode), x.numpy()), expected[mode])


def test_limits_and_leaks(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    x = numbers(20)
    found = computed(lambda x: [mb.clip(x=x, alpha=-0.5, beta=0.25), mb.leaky_relu(x=x, alpha=0.2)], x)
    same(found, torch.from_numpy(x).clamp(-0.5, 0.25), functional.leaky_relu(torch.from_numpy(x), 0.2))


def test_a_half_is_rounded_and_overflows_as_a_half(computed: Fixture, same: Fixture) -> None:
    x = np.array([1.0003, 2049.0, 70000.0, 1e-8], np.float32)
    found = computed(lambda x: mb.cast(x=mb.cast(x=x, dtype="fp16"), dtype="fp32"), x)
    same(found, torch.from_numpy(x).half().float(), close=0)
    summed = computed(lambda x: mb.cast(x=mb.add(x=mb.cast(x=x, dtype="fp16"), y=np.float16(1)), dtype="fp32"), x)
    same(summed, (torch.from_numpy(x).half() + 1).float(), close=0)
