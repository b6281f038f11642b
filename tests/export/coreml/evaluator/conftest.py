"""MIL functions made on the spot, computed, and compared with torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

if TYPE_CHECKING:
    from lite_vton_export.coreml.evaluator import Evaluator

draw = np.random.default_rng(0)


@pytest.fixture(scope="session")
def numbers() -> Callable[..., np.ndarray]:
    """Normal numbers of a shape."""
    return lambda *shape: draw.standard_normal(shape).astype(np.float32)


@pytest.fixture(scope="session")
def whole() -> Callable[..., np.ndarray]:
    """Whole numbers from `low` to below `high` of a shape."""
    return lambda low, high, *shape: draw.integers(low, high, shape).astype(np.int32)


@pytest.fixture(scope="session")
def evaluator_of() -> Callable[..., Evaluator]:
    return make


@pytest.fixture(scope="session")
def computed() -> Callable[..., list[torch.Tensor]]:
    """What a function built of arrays gives for them: (build, *arrays) to its outputs in order."""

    def compute(build: Callable[..., Any], *arrays: np.ndarray, target: Any = None) -> list[torch.Tensor]:
        answers = make(build, *arrays, target=target)({f"x{n}": array for n, array in enumerate(arrays)})
        return [torch.from_numpy(answers[f"y{n}"]) for n in range(len(answers))]

    return compute


@pytest.fixture(scope="session")
def same() -> Callable[..., None]:
    """Fails where outputs are not as expected, to `close`."""

    def compare(found: list[torch.Tensor], *expected: torch.Tensor, close: float = 1e-5) -> None:
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape
            torch.testing.assert_close(one.to(other.dtype), other, rtol=close, atol=close)

    return compare


def make(build: Callable[..., Any], *arrays: np.ndarray, target: Any = None) -> Evaluator:
    """Of a function of the arrays `x0`, `x1`, ... with outputs `y0`, ..., as built: no pass has simplified it."""
    # Not above: a conftest is read where coremltools is missing too.
    import coremltools as ct
    from coremltools.converters.mil.mil import Builder, Function, types

    from lite_vton_export.coreml.evaluator import Evaluator

    kinds = {"float32": types.fp32, "int32": types.int32}
    places = {f"x{n}": Builder.placeholder(shape=a.shape, dtype=kinds[a.dtype.name]) for n, a in enumerate(arrays)}
    with Function(places, opset_version=ct.target.iOS17 if target is None else target) as function:
        answer = build(*(function.inputs[name] for name in places))
        many = answer if isinstance(answer, list | tuple) else [answer]
        function.set_outputs([Builder.identity(x=one, name=f"y{n}") for n, one in enumerate(many)])
    return Evaluator(function)
