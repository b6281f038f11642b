"""Every operation kind that is computed gives what torch gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

import coremltools as ct
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813  # what everybody calls it
from coremltools.converters.mil.mil import Function, types

from export.coreml_evaluator import Evaluator
from export.coreml_evaluator.operations import OPERATIONS
from lite_vton.errors import UserError

KINDS = {"float32": types.fp32, "int32": types.int32}
few = settings(max_examples=40, deadline=None)
draw = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return draw.standard_normal(shape).astype(np.float32)


def evaluator_of(build: Callable[..., Any], *arrays: np.ndarray, target: Any = None) -> Evaluator:
    """Of a function of the arrays `x0`, `x1`, ... with outputs `y0`, ..., as built: no pass has simplified it."""
    places = {f"x{n}": mb.placeholder(shape=a.shape, dtype=KINDS[a.dtype.name]) for n, a in enumerate(arrays)}
    with Function(places, opset_version=ct.target.iOS17 if target is None else target) as function:
        answer = build(*(function.inputs[name] for name in places))
        many = answer if isinstance(answer, list | tuple) else [answer]
        function.set_outputs([mb.identity(x=one, name=f"y{n}") for n, one in enumerate(many)])
    return Evaluator(function)


def computed(build: Callable[..., Any], *arrays: np.ndarray, target: Any = None) -> list[torch.Tensor]:
    evaluator = evaluator_of(build, *arrays, target=target)
    answers = evaluator({f"x{n}": array for n, array in enumerate(arrays)})
    return [torch.from_numpy(answers[f"y{n}"]) for n in range(len(answers))]


def same(found: list[torch.Tensor], *expected: torch.Tensor, close: float = 1e-5) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one.to(other.dtype), other, rtol=close, atol=close)


UNARY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "abs": torch.abs,
    "cos": torch.cos,
    "erf": torch.erf,
    "exp": torch.exp,
    "floor": torch.floor,
    "identity": lambda x: x,
    "relu": torch.relu,
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


def test_functions_of_one_number() -> None:
    x = numbers(3, 5)
    found = computed(lambda x: [getattr(mb, kind)(x=x) for kind in UNARY], x)
    same(found, *(function(torch.from_numpy(x)) for function in UNARY.values()))


def test_functions_of_one_positive_number() -> None:
    x = np.abs(numbers(3, 5)) + 0.1
    small = {"sqrt": {}, "rsqrt": {"epsilon": 1e-12}, "log": {"epsilon": 1e-45}, "inverse": {"epsilon": 1e-20}}
    found = computed(lambda x: [getattr(mb, kind)(x=x, **small[kind]) for kind in POSITIVE], x)
    same(found, *(function(torch.from_numpy(x)) for function in POSITIVE.values()))


def test_functions_of_two_numbers_broadcast() -> None:
    x, y = numbers(3, 1, 5), numbers(4, 1)
    found = computed(lambda x, y: [getattr(mb, kind)(x=x, y=y) for kind in BINARY], x, y)
    same(found, *(function(torch.from_numpy(x), torch.from_numpy(y)) for function in BINARY.values()))
    found = computed(lambda x, y: mb.pow(x=x, y=y), np.abs(x), y)
    same(found, torch.from_numpy(np.abs(x)) ** torch.from_numpy(y))


def test_comparisons_and_what_is_made_of_them() -> None:
    x, y = draw.integers(0, 3, (4, 5)).astype(np.int32), draw.integers(0, 3, (4, 5)).astype(np.int32)
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
def test_gelu_in_each_of_its_modes(mode: str) -> None:
    x = torch.from_numpy(numbers(20))
    expected = {
        "EXACT": functional.gelu(x),
        "TANH_APPROXIMATION": functional.gelu(x, approximate="tanh"),
        "SIGMOID_APPROXIMATION": x * torch.sigmoid(1.702 * x),
    }
    same(computed(lambda x: mb.gelu(x=x, mode=mode), x.numpy()), expected[mode])


def test_limits_and_leaks() -> None:
    x = numbers(20)
    found = computed(lambda x: [mb.clip(x=x, alpha=-0.5, beta=0.25), mb.leaky_relu(x=x, alpha=0.2)], x)
    same(found, torch.from_numpy(x).clamp(-0.5, 0.25), functional.leaky_relu(torch.from_numpy(x), 0.2))


def test_a_half_is_rounded_and_overflows_as_a_half() -> None:
    x = np.array([1.0003, 2049.0, 70000.0, 1e-8], np.float32)
    found = computed(lambda x: mb.cast(x=mb.cast(x=x, dtype="fp16"), dtype="fp32"), x)
    same(found, torch.from_numpy(x).half().float(), close=0)
    summed = computed(lambda x: mb.cast(x=mb.add(x=mb.cast(x=x, dtype="fp16"), y=np.float16(1)), dtype="fp32"), x)
    same(summed, (torch.from_numpy(x).half() + 1).float(), close=0)


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
    sides: int, groups: int, kernel: int, stride: int, dilation: int, pads: list[int], bias: bool
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
def test_a_convolution_that_keeps_the_size_puts_the_odd_zero_where_it_belongs(kind: str) -> None:
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
def test_transposed_convolutions(groups: int, kernel: int, stride: int, pad: int, more: int) -> None:
    assume(more < stride)
    x, weight, bias = numbers(1, 2 * groups, 5, 4), numbers(2 * groups, 3, kernel, kernel), numbers(3 * groups)
    expected = functional.conv_transpose2d(*(torch.from_numpy(a) for a in (x, weight, bias)), stride, pad, more, groups)
    told: dict[str, Any] = {"strides": [stride] * 2, "groups": groups, "pad_type": "custom", "pad": [pad] * 4}
    told |= {"output_shape": list(expected.shape)} if more else {}
    same(computed(lambda x: mb.conv_transpose(x=x, weight=weight, bias=bias, **told), x), expected)


def test_matrix_products() -> None:
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


def test_a_head_at_a_time_and_attention_in_one() -> None:
    x, y = numbers(1, 3, 1, 4), numbers(1, 4, 1, 5)
    found = computed(lambda x, y: mb.einsum(values=[x, y], equation="nchw,nwhu->nchu"), x, y)
    same(found, torch.einsum("nchw,nwhu->nchu", torch.from_numpy(x), torch.from_numpy(y)))
    q, k, v = numbers(1, 2, 3, 4), numbers(1, 2, 5, 4), numbers(1, 2, 5, 4)
    found = computed(
        lambda q, k, v: mb.scaled_dot_product_attention(query=q, key=k, value=v), q, k, v, target=ct.target.iOS18
    )
    same(found, functional.scaled_dot_product_attention(*(torch.from_numpy(a) for a in (q, k, v))))


def test_normalisations() -> None:
    x, gamma, beta, mean = numbers(2, 6, 5), numbers(6), numbers(6), numbers(6)
    variance = np.abs(numbers(6)) + 0.1
    a, g, b = (torch.from_numpy(array) for array in (x, gamma, beta))

    def build(x: Any) -> list[Any]:
        return [
            mb.layer_norm(x=mb.transpose(x=x, perm=[0, 2, 1]), axes=[-1], gamma=gamma, beta=beta, epsilon=1e-3),
            mb.layer_norm(x=x, axes=[1, 2], epsilon=1e-5),
            mb.instance_norm(x=x, gamma=gamma, beta=beta, epsilon=1e-5),
            mb.batch_norm(x=x, mean=mean, variance=variance, gamma=gamma, beta=beta, epsilon=1e-4),
            mb.softmax(x=x, axis=1),
        ]

    moments = torch.from_numpy(mean), torch.from_numpy(variance)
    same(
        computed(build, x),
        functional.layer_norm(a.transpose(1, 2), (6,), g, b, 1e-3),
        functional.layer_norm(a, (6, 5)),
        functional.instance_norm(a, weight=g, bias=b),
        functional.batch_norm(a, *moments, g, b, eps=1e-4),
        a.softmax(1),
    )


@few
@given(axes=st.sets(st.integers(-3, 2), min_size=1), keep=st.booleans())
def test_reductions(axes: set[int], keep: bool) -> None:
    assume(len({axis % 3 for axis in axes}) == len(axes))
    x, along = numbers(2, 3, 4), sorted(axes)
    kinds = {"reduce_mean": torch.mean, "reduce_sum": torch.sum, "reduce_max": torch.amax, "reduce_min": torch.amin}
    found = computed(lambda x: [getattr(mb, kind)(x=x, axes=along, keep_dims=keep) for kind in kinds], x)
    same(found, *(function(torch.from_numpy(x), dim=along, keepdim=keep) for function in kinds.values()))


def test_pictures_made_larger_and_smaller() -> None:
    x = numbers(1, 8, 4, 6)

    def build(x: Any) -> list[Any]:
        return [
            mb.upsample_nearest_neighbor(x=x, scale_factor_height=2.0, scale_factor_width=3.0),
            mb.pixel_shuffle(x=x, upscale_factor=2),
            mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)),
        ]

    a = torch.from_numpy(x)
    larger = functional.interpolate(a, scale_factor=(2, 3), mode="nearest")
    same(computed(build, x), larger, functional.pixel_shuffle(a, 2), functional.pixel_unshuffle(a, 2), close=0)


@few
@given(
    begins=st.lists(st.integers(-4, 3), min_size=2, max_size=2),
    ends=st.lists(st.integers(-4, 5), min_size=2, max_size=2),
    strides=st.lists(st.sampled_from([1, 2, -1]), min_size=2, max_size=2),
    opened=st.lists(st.booleans(), min_size=4, max_size=4),
    one=st.booleans(),
)
def test_slices(begins: list[int], ends: list[int], strides: list[int], opened: list[bool], one: bool) -> None:
    x = numbers(4, 5)
    parts: list[slice | int] = [
        slice(None if opened[n] else begins[n], None if opened[2 + n] else ends[n], strides[n]) for n in range(2)
    ]
    if one:
        parts[0] = begins[0]
    expected = x[tuple(parts)]
    assume(expected.size)
    found = computed(
        lambda x: mb.slice_by_index(
            x=x,
            begin=begins,
            end=ends,
            stride=strides,
            begin_mask=opened[:2],
            end_mask=opened[2:],
            squeeze_mask=[one, False],
        ),
        x,
    )
    same(found, torch.from_numpy(expected.copy()), close=0)


@few
@given(
    mode=st.sampled_from(["constant", "reflect", "replicate"]),
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
def test_borders(mode: str, pads: list[int]) -> None:
    x = numbers(1, 2, 4, 5)
    told = {"constant_val": 0.5} if mode == "constant" else {}
    turned = [pads[2], pads[3], pads[0], pads[1]]
    expected = functional.pad(torch.from_numpy(x), turned, mode=mode, **({"value": 0.5} if told else {}))
    same(computed(lambda x: mb.pad(x=x, pad=pads, mode=mode, **told), x), expected, close=0)


def test_what_moves_numbers_about() -> None:
    x, rows = numbers(2, 3, 4), np.array([[2, 0], [1, -1]], np.int32)
    a = torch.from_numpy(x)

    def build(x: Any, rows: Any) -> list[Any]:
        wide = mb.expand_dims(x=x, axes=[0, -1])
        return [
            mb.reshape(x=x, shape=[4, -1]),
            mb.reshape(x=x, shape=[0, 2, 6]),
            mb.transpose(x=x, perm=[2, 0, 1]),
            wide,
            mb.squeeze(x=wide, axes=[0]),
            mb.squeeze(x=wide),
            mb.concat(values=[x, x], axis=1),
            mb.concat(values=[x, mb.add(x=x, y=1.0)], axis=1, interleave=True),
            mb.stack(values=[x, x], axis=1),
            *mb.split(x=x, num_splits=2, axis=-1),
            *mb.split(x=x, split_sizes=[1, 2], axis=1),
            mb.slice_by_size(x=x, begin=[0, 1, 1], size=[2, -1, 2]),
            mb.gather(x=x, indices=rows, axis=1, validate_indices=False),
            mb.tile(x=x, reps=[1, 2, 3]),
            mb.fill(shape=[2, 2], value=1.5),
            mb.fill_like(ref_tensor=x, value=-30.0),
        ]

    same(
        computed(build, x, rows),
        a.reshape(4, -1),
        a.reshape(2, 2, 6),
        a.permute(2, 0, 1),
        a[None, ..., None],
        a[..., None],
        a,
        torch.cat([a, a], 1),
        torch.stack([a, a + 1], 2).flatten(1, 2),
        torch.stack([a, a], 1),
        *a.split(2, -1),
        *a.split([1, 2], 1),
        a[:, 1:, 1:3],
        a[:, torch.tensor([[2, 0], [1, 2]])],
        a.tile(1, 2, 3),
        torch.full((2, 2), 1.5),
        torch.full_like(a, -30.0),
        close=1e-6,
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8])
def test_a_palette_of_ios16_is_unpacked_to_its_numbers(bits: int) -> None:
    lut, indices = numbers(2**bits), draw.integers(0, 2**bits, (3, 7))
    packed = np.packbits((indices.reshape(-1, 1) >> np.arange(bits)) & 1, bitorder="little")
    shape = np.array(indices.shape, np.uint32)
    found = computed(
        lambda x: mb.add(x=x, y=mb.constexpr_lut_to_dense(lut=lut, indices=packed, shape=shape)),
        np.zeros((3, 7), np.float32),
    )
    same(found, torch.from_numpy(lut[indices]), close=0)


def test_linear_weights_of_ios16() -> None:
    data, scale, zero = draw.integers(-128, 128, (3, 4)).astype(np.int8), np.abs(numbers(4)), np.int8(3)
    found = computed(
        lambda x: mb.add(
            x=x, y=mb.constexpr_affine_dequantize(quantized_data=data, scale=scale, zero_point=zero, axis=1)
        ),
        np.zeros((3, 4), np.float32),
    )
    same(found, torch.from_numpy((data.astype(np.float32) - 3) * scale))


def test_a_palette_a_block_and_a_scale_a_block_of_ios18() -> None:
    indices, lut = draw.integers(0, 16, (4, 6)).astype(np.uint8), numbers(2, 1, 16, 1)
    data, scale, offset = draw.integers(-128, 128, (4, 6)).astype(np.int8), numbers(4, 3), np.ones((4, 3), np.int8)
    four_bits = indices.astype(types.nptype_from_builtin(types.uint4))

    def build(x: Any) -> list[Any]:
        dense = (
            mb.constexpr_lut_to_dense(indices=four_bits, lut=lut),
            mb.constexpr_blockwise_shift_scale(data=data, scale=scale, offset=offset),
        )
        return [mb.add(x=x, y=weights) for weights in dense]

    which = np.repeat(np.arange(2), 2)[:, None]
    expected = lut[which, 0, indices, 0], (data.astype(np.float32) - 1) * np.repeat(scale, 2, axis=1)
    found = computed(build, np.zeros((4, 6), np.float32), target=ct.target.iOS18)
    same(found, *(torch.from_numpy(one) for one in expected))


def test_a_cast_of_weights_is_that_of_values() -> None:
    half = numbers(4).astype(np.float16)
    found = computed(
        lambda x: mb.add(x=x, y=mb.constexpr_cast(source_val=half, output_dtype="fp32")), np.zeros(4, np.float32)
    )
    same(found, torch.from_numpy(half.astype(np.float32)), close=0)


def test_another_operation_kind_is_named() -> None:
    x = numbers(3, 4)
    assert "argsort" not in OPERATIONS
    with pytest.raises(UserError, match=r"does not compute \(argsort\)"):
        evaluator_of(lambda x: mb.argsort(x=x, axis=1), x)


def test_inputs_have_the_programs_names_and_shapes() -> None:
    evaluator = evaluator_of(lambda x: mb.relu(x=x), numbers(3, 4))
    assert evaluator.inputs == {"x0": ("fp32", (3, 4))}
    assert evaluator.outputs == {"y0": ("fp32", (3, 4))}
    with pytest.raises(UserError, match="an input x0 that is not given"):
        evaluator({"x": numbers(3, 4)})
    with pytest.raises(UserError, match=r"is \(3, 4\), given is \(4, 3\)"):
        evaluator({"x0": numbers(4, 3)})


def test_no_kind_is_in_the_table_untested() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in OPERATIONS if f"mb.{kind}(" not in tested and f'"{kind}"' not in tested] == []
