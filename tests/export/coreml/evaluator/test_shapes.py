from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

from coremltools.converters.mil.mil import Builder as mb  # noqa: N813  # what everybody calls it

Fixture = Callable[..., Any]
few = settings(max_examples=40, deadline=None)


@few
@given(
    begins=st.lists(st.integers(-4, 3), min_size=2, max_size=2),
    ends=st.lists(st.integers(-4, 5), min_size=2, max_size=2),
    strides=st.lists(st.sampled_from([1, 2, -1]), min_size=2, max_size=2),
    opened=st.lists(st.booleans(), min_size=4, max_size=4),
    one=st.booleans(),
)
def test_slices(
    begins: list[int],
    ends: list[int],
    strides: list[int],
    opened: list[bool],
    one: bool,
    computed: Fixture,
    same: Fixture,
    numbers: Fixture,
) -> None:
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
def test_borders(mode: str, pads: list[int], computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    x = numbers(1, 2, 4, 5)
    told = {"constant_val": 0.5} if mode == "constant" else {}
    turned = [pads[2], pads[3], pads[0], pads[1]]
    expected = functional.pad(torch.from_numpy(x), turned, mode=mode, **({"value": 0.5} if told else {}))
    same(computed(lambda x: mb.pad(x=x, pad=pads, mode=mode, **told), x), expected, close=0)


def test_what_moves_numbers_about(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
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
