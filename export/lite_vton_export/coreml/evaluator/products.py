"""Convolutions and matrix products, summed in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch.nn import functional

from lite_vton_export.coreml.evaluator.values import Operands, Operation

__all__ = ["PRODUCTS"]

_CONV: Mapping[int, Callable[..., torch.Tensor]] = MappingProxyType(
    {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}
)
_TRANSPOSED: Mapping[int, Callable[..., torch.Tensor]] = MappingProxyType(
    {3: functional.conv_transpose1d, 4: functional.conv_transpose2d, 5: functional.conv_transpose3d}
)


def _conv(given: Operands) -> torch.Tensor:
    x, weight = given["x"], given["weight"]
    sides = x.dim() - 2
    strides, dilations = given.integers("strides", (1,) * sides), given.integers("dilations", (1,) * sides)
    reach = [(k - 1) * d for k, d in zip(weight.shape[2:], dilations, strict=True)]
    pairs = _padding(given, x.shape[2:], strides, reach)
    if all(begin == end for begin, end in pairs):
        padding = [begin for begin, _ in pairs]
    else:
        x, padding = functional.pad(x, [side for pair in reversed(pairs) for side in pair]), [0] * sides
    return _CONV[x.dim()](x, weight, given.maybe("bias"), strides, padding, dilations, given.integer("groups", 1))


def _padding(given: Operands, sizes: torch.Size, strides: list[int], reach: list[int]) -> list[tuple[int, int]]:
    """Zeros before and after along each side of the picture."""
    kind = given.word("pad_type", "valid")
    if kind == "valid":
        return [(0, 0)] * len(sizes)
    if kind == "custom":
        pad = given.integers("pad")
        return list(zip(pad[::2], pad[1::2], strict=True))
    totals = [
        max((-(-size // stride) - 1) * stride + far + 1 - size, 0)
        for size, stride, far in zip(sizes, strides, reach, strict=True)
    ]
    # The odd zero goes behind for "same", in front for "same_lower".
    halves = [(total // 2, total - total // 2) for total in totals]
    return halves if kind == "same" else [(after, before) for before, after in halves]


def _conv_transpose(given: Operands) -> torch.Tensor:
    """Uncropped, then cropped: `pad` is what is cut, and an `output_shape` says how much is left from there on."""
    x, weight = given["x"], given["weight"]
    sides, groups = x.dim() - 2, given.integer("groups", 1)
    strides, dilations = given.integers("strides", (1,) * sides), given.integers("dilations", (1,) * sides)
    kind = given.word("pad_type", "valid")
    if kind not in ("valid", "custom"):
        raise ValueError(f"conv_transpose with pad_type {kind} is not computed")
    pad = given.integers("pad", (0,) * 2 * sides) if kind == "custom" else [0] * 2 * sides
    wanted = given.integers("output_shape")[2:]
    extra = [0] * sides
    if wanted:
        full = [
            (n - 1) * s + (k - 1) * d + 1
            for n, s, k, d in zip(x.shape[2:], strides, weight.shape[2:], dilations, strict=True)
        ]
        extra = [max(0, side + pad[2 * at] - full[at]) for at, side in enumerate(wanted)]
    answer = _TRANSPOSED[x.dim()](x, weight, None, strides, 0, 0, groups, dilations)
    answer = functional.pad(answer, [side for more in reversed(extra) for side in (0, more)])
    for at in range(sides):
        length = wanted[at] if wanted else answer.shape[2 + at] - pad[2 * at] - pad[2 * at + 1]
        answer = answer.narrow(2 + at, pad[2 * at], length)
    bias = given.maybe("bias")
    return answer if bias is None else answer + bias.view(1, -1, *(1,) * sides)


def _linear(given: Operands) -> torch.Tensor:
    return functional.linear(given["x"], given["weight"], given.maybe("bias"))


def _matmul(given: Operands) -> torch.Tensor:
    x, y = given["x"], given["y"]
    x = x.transpose(-1, -2) if given.flag("transpose_x") else x
    y = y.transpose(-1, -2) if given.flag("transpose_y") else y
    return x @ y


def _einsum(given: Operands) -> torch.Tensor:
    return torch.einsum(given.word("equation"), *given.tensors("values"))


def _attention(given: Operands) -> torch.Tensor:
    return functional.scaled_dot_product_attention(
        given["query"], given["key"], given["value"], attn_mask=given.maybe("attn_mask")
    )


PRODUCTS: Mapping[str, Operation] = MappingProxyType(
    {
        "conv": _conv,
        "conv_transpose": _conv_transpose,
        "linear": _linear,
        "matmul": _matmul,
        "einsum": _einsum,
        "scaled_dot_product_attention": _attention,
    }
)
