from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

from coremltools.converters.mil.mil import Builder as mb  # noqa: N813  # what everybody calls it

from lite_vton.errors import UserError
from lite_vton_export.coreml.evaluator.operations import OPERATIONS

Fixture = Callable[..., Any]


def test_another_operation_kind_is_named(numbers: Fixture, evaluator_of: Fixture) -> None:
    x = numbers(3, 4)
    assert "argsort" not in OPERATIONS
    with pytest.raises(UserError, match=r"does not compute \(argsort\)"):
        evaluator_of(lambda x: mb.argsort(x=x, axis=1), x)


def test_inputs_have_the_programs_names_and_shapes(numbers: Fixture, evaluator_of: Fixture) -> None:
    evaluator = evaluator_of(lambda x: mb.relu(x=x), numbers(3, 4))
    assert evaluator.inputs == {"x0": ("fp32", (3, 4))}
    assert evaluator.outputs == {"y0": ("fp32", (3, 4))}
    with pytest.raises(UserError, match="an input x0 that is not given"):
        evaluator({"x": numbers(3, 4)})
    with pytest.raises(UserError, match=r"is \(3, 4\), given is \(4, 3\)"):
        evaluator({"x0": numbers(4, 3)})


def test_no_kind_is_in_the_table_untested() -> None:
    tested = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [kind for kind in OPERATIONS if f"mb.{kind}(" not in tested and f'"{kind}"' not in tested] == []
