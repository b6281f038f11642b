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


def test_pictures_made_larger_and_smaller(computed: Fixture, same: Fixture, numbers: Fixture) -> None:
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
