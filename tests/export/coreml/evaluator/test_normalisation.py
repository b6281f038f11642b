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


def test_normalisations(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
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
def test_reductions(axes: set[int], keep: bool, computed: Fixture, same: Fixture, numbers: Fixture) -> None:
    assume(len({axis % 3 for axis in axes}) == len(axes))
    x, along = numbers(2, 3, 4), sorted(axes)
    kinds = {"reduce_mean": torch.mean, "reduce_sum": torch.sum, "reduce_max": torch.amax, "reduce_min": torch.amin}
    found = computed(lambda x: [getattr(mb, kind)(x=x, axes=along, keep_dims=keep) for kind in kinds], x)
    same(found, *(function(torch.from_numpy(x), dim=along, keepdim=keep) for function in kinds.values()))
