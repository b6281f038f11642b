from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

import coremltools as ct
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813  # what everybody calls it

Fixture = Callable[..., Any]
few = settings(max_examples=40, deadline=None)


@few
@given(
    sides=st.integers(1, 2),
    groups=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    bias=st.booleans(),
)
def test_convolutions(
    sides: int,
    groups: int,
    kernel: int,
    stride: int,
    dilation: int,
    pads: list[int],
    bias: bool,
    computed: Fixture,
    same: Fixture,
    numbers: Fixture,
) -> None:
    x, weight = numbers(1, 2 * groups, *(9, 8)[:sides]), numbers(3 * groups, 2, *(kernel,) * sides)
    offset = numbers(3 * groups) if bias else None
    pad = pads[: 2 * sides]
    padded = functional.pad(torch.from_numpy(x), [pad[2 * n + m] for n in reversed(range(sides)) for m in (0, 1)])
    function = (functional.conv1d, functional.conv2d)[sides - 1]
    expected = function(
        padded,
        torch.from_numpy(weight),
        None if offset is None else torch.from_numpy(offset),
        stride,
        0,
        dilation,
        groups,
    )
    told: dict[str, Any] = {"strides": [stride] * sides, "dilations": [dilation] * sides, "groups": groups}
    told |= {"pad_type": "custom", "pad": pad} | ({} if offset is None else {"bias": offset})
    same(computed(lambda x: mb.conv(x=x, weight=weight, **told), x), expected)


@pytest.mark.parametrize("kind", ["same", "same_lower"])
def test_a_convolution_that_keeps_the_size_puts_the_odd_zero_where_it_belongs(
    kind: str, computed: Fixture, same: Fixture, numbers: Fixture
) -> None:
    x, weight = numbers(1, 2, 7, 6), numbers(3, 2, 2, 2)
    sides = [0, 1, 0, 1] if kind == "same" else [1, 0, 1, 0]
    expected = functional.conv2d(functional.pad(torch.from_numpy(x), sides), torch.from_numpy(weight))
    same(computed(lambda x: mb.conv(x=x, weight=weight, pad_type=kind), x), expected)


@few
@given(
    groups=st.integers(1, 2),
    kernel=st.integers(2, 4),
    stride=st.integers(1, 3),
    pad=st.integers(0, 1),
    more=st.integers(0, 2),
)
def test_transposed_convolutions(
    groups: int, kernel: int, stride: int, pad: int, more: int, computed: Fixture, same: Fixture, numbers: Fixture
) -> None:
    assume(more < stride)
    x, weight, bias = numbers(1, 2 * groups, 5, 4), numbers(2 * groups, 3, kernel, kernel), numbers(3 * groups)
    given, kernels, shift = (torch.from_numpy(a) for a in (x, weight, bias))
    expected = functional.conv_transpose2d(given, kernels, shift, stride, pad, more, groups)
    told: dict[str, Any] = {"strides": [stride] * 2, "groups": groups, "pad_type": "custom", "pad": [pad] * 4}
    told |= {"output_shape": list(expected.shape)} if more else {}
    same(computed(lambda x: mb.conv_transpose(x=x, weight=weight, bias=bias, **told), x), expected)


def test_matrix_products(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    x, y, weight, bias = numbers(2, 3, 4), numbers(2, 5, 4), numbers(6, 4), numbers(6)
    a, b = torch.from_numpy(x), torch.from_numpy(y)

    def build(x: Any, y: Any) -> list[Any]:
        turned = mb.transpose(x=x, perm=[0, 2, 1])
        return [
            mb.matmul(x=x, y=y, transpose_y=True),
            mb.matmul(x=turned, y=y, transpose_x=True, transpose_y=True),
            mb.linear(x=x, weight=weight, bias=bias),
            mb.linear(x=x, weight=weight),
        ]

    product, linear = a @ b.transpose(1, 2), functional.linear(a, torch.from_numpy(weight), torch.from_numpy(bias))
    same(computed(build, x, y), product, product, linear, linear - torch.from_numpy(bias))


def test_a_head_at_a_time_and_attention_in_one(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    x, y = numbers(1, 3, 1, 4), numbers(1, 4, 1, 5)
    found = computed(lambda x, y: mb.einsum(values=[x, y], equation="nchw,nwhu->nchu"), x, y)
    same(found, torch.einsum("nchw,nwhu->nchu", torch.from_numpy(x), torch.from_numpy(y)))
    q, k, v = numbers(1, 2, 3, 4), numbers(1, 2, 5, 4), numbers(1, 2, 5, 4)
    found = computed(
        lambda q, k, v: mb.scaled_dot_product_attention(query=q, key=k, value=v), q, k, v, target=ct.target.iOS18
    )
    same(found, functional.scaled_dot_product_attention(*(torch.from_numpy(a) for a in (q, k, v))))
