from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

import coremltools as ct
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813  # what everybody calls it
from coremltools.converters.mil.mil import types

Fixture = Callable[..., Any]


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8])
def test_a_palette_of_ios16_is_unpacked_to_its_numbers(
    bits: int, computed: Fixture, same: Fixture, numbers: Fixture, whole: Fixture
) -> None:
    lut, indices = numbers(2**bits), whole(0, 2**bits, 3, 7)
    packed = np.packbits((indices.reshape(-1, 1) >> np.arange(bits)) & 1, bitorder="little")
    shape = np.array(indices.shape, np.uint32)
    found = computed(
        lambda x: mb.add(x=x, y=mb.constexpr_lut_to_dense(lut=lut, indices=packed, shape=shape)),
        np.zeros((3, 7), np.float32),
    )
    same(found, torch.from_numpy(lut[indices]), close=0)


def test_linear_weights_of_ios16(computed: Fixture, same: Fixture, numbers: Fixture, whole: Fixture) -> None:
    data, scale, zero = whole(-128, 128, 3, 4).astype(np.int8), np.abs(numbers(4)), np.int8(3)
    found = computed(
        lambda x: mb.add(
            x=x, y=mb.constexpr_affine_dequantize(quantized_data=data, scale=scale, zero_point=zero, axis=1)
        ),
        np.zeros((3, 4), np.float32),
    )
    same(found, torch.from_numpy((data.astype(np.float32) - 3) * scale))


def test_a_palette_a_block_and_a_scale_a_block_of_ios18(
    computed: Fixture, same: Fixture, numbers: Fixture, whole: Fixture
) -> None:
    indices, lut = whole(0, 16, 4, 6).astype(np.uint8), numbers(2, 1, 16, 1)
    data, scale, offset = whole(-128, 128, 4, 6).astype(np.int8), numbers(4, 3), np.ones((4, 3), np.int8)
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


def test_a_cast_of_weights_is_that_of_values(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    half = numbers(4).astype(np.float16)
    found = computed(
        lambda x: mb.add(x=x, y=mb.constexpr_cast(source_val=half, output_dtype="fp32")), np.zeros(4, np.float32)
    )
    same(found, torch.from_numpy(half.astype(np.float32)), close=0)
