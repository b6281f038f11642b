"""A MIL program as a function from numpy to numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton_export.coreml.evaluator.operations import OPERATIONS
from lite_vton_export.coreml.evaluator.values import Operands, Operation, Value, as_value, rounded
from lite_vton_export.coreml.package import opened_package, operands_of, type_name

if TYPE_CHECKING:
    from coremltools.converters.mil.mil import Function, Var
    from coremltools.converters.mil.mil import Operation as MilOperation

__all__ = ["Evaluator"]

Slot = int
"""Where a value is kept while a program runs."""


@dataclass(frozen=True)
class _Step:
    """One operation: where its operands are and its results go, and which values nobody needs afterwards."""

    name: str
    kind: str
    function: Operation
    operands: Mapping[str, Slot | tuple[Slot, ...]]
    results: tuple[Slot, ...]
    types: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    spent: tuple[Slot, ...]

    def run(self, values: dict[Slot, Value]) -> None:
        given = Operands(
            {
                name: tuple(values[one] for one in slot) if isinstance(slot, tuple) else values[slot]
                for name, slot in self.operands.items()
            }
        )
        try:
            answer = self.function(given)
        except (RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"operation {self.name} ({self.kind}) of the program cannot be computed: {reason}"
            ) from error
        tensors = answer if isinstance(answer, tuple) else (answer,)
        for slot, tensor, kind, shape in zip(self.results, tensors, self.types, self.shapes, strict=True):
            if tuple(tensor.shape) != shape:
                raise UserError(f"operation {self.name} ({self.kind}) gives {tuple(tensor.shape)}, declared is {shape}")
            values[slot] = rounded(tensor, kind)
        for slot in self.spent:
            del values[slot]


class Evaluator:
    """A MIL function, ready to be called. Constants, compressed ones too, are expanded once, to float32.

    `inputs` and `outputs` are its tensors by name: (type, shape). Raises `UserError` for an operation kind that is not
    in the table, naming it; opening a package also for one that is not whole.
    """

    def __init__(self, function: Function) -> None:
        _refuse_unknown(function.operations)
        plan = _Plan(function)
        self.inputs = {name: (type_name(var), tuple(var.shape)) for name, var in function.inputs.items()}
        self.outputs = {var.name: (type_name(var), tuple(var.shape)) for var in function.outputs}
        self._given = {name: plan.slot(var) for name, var in function.inputs.items()}
        self._answers = {var.name: plan.slot(var) for var in function.outputs}
        self._steps, self._constants = plan.steps, plan.constants

    @classmethod
    def of_package(cls, path: Path) -> Evaluator:
        """The evaluator of the package in the folder `path`, read back from disk."""
        return cls(opened_package(path).function)

    @torch.inference_mode()
    def __call__(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Compute the outputs by name; `inputs` have the program's names, and its shapes, or it is a `UserError`."""
        values = dict(self._constants)
        for name, (kind, shape) in self.inputs.items():
            if name not in inputs:
                raise UserError(f"the program has an input {name} that is not given: {', '.join(inputs)}")
            if inputs[name].shape != shape:
                raise UserError(f"input {name} of the program is {shape}, given is {inputs[name].shape}")
            values[self._given[name]] = rounded(torch.from_numpy(np.ascontiguousarray(inputs[name])), kind)
        for step in self._steps:
            step.run(values)
        return {name: _tensor(values[slot]).numpy() for name, slot in self._answers.items()}


class _Plan:
    """Steps and constants of a function; what only depends on constants is computed here, once."""

    def __init__(self, function: Function) -> None:
        self._slots: dict[Var, Slot] = {}
        self.constants: dict[Slot, Value] = {}
        operations = list(function.operations)
        last: dict[Var, MilOperation] = {var: op for op in operations for var in operands_of(op)}
        kept = set(function.outputs) | set(function.inputs.values())
        steps = []
        for op in operations:
            if op.op_type == "const":
                self.constants[self.slot(op.outputs[0])] = as_value(op.outputs[0].val)
                continue
            spent = [var for var in dict.fromkeys(operands_of(op)) if last[var] is op and var not in kept]
            spent += [var for var in op.outputs if var not in last and var not in kept]
            is_constant = op.op_type.startswith("constexpr_")
            if is_constant:
                self._step(op, spent).run(self.constants)
            else:
                steps.append(self._step(op, [var for var in spent if self.slot(var) not in self.constants]))
        self.steps = tuple(steps)

    def slot(self, var: Var) -> Slot:
        return self._slots.setdefault(var, len(self._slots))

    def _step(self, op: MilOperation, spent: Iterable[Var]) -> _Step:
        operands: dict[str, Slot | tuple[Slot, ...]] = {}
        for name, given in op.inputs.items():
            if given is not None:
                many = isinstance(given, list | tuple)
                operands[name] = tuple(self.slot(var) for var in given) if many else self.slot(given)
        return _Step(
            op.name,
            op.op_type,
            OPERATIONS[op.op_type],
            operands,
            tuple(self.slot(var) for var in op.outputs),
            tuple(type_name(var) for var in op.outputs),
            tuple(tuple(var.shape) for var in op.outputs),
            tuple(self.slot(var) for var in spent),
        )


def _refuse_unknown(operations: Iterable[MilOperation]) -> None:
    unknown = sorted({op.op_type for op in operations} - set(OPERATIONS) - {"const"})
    if unknown:
        raise UserError(
            f"the program has operations that this checker does not compute ({', '.join(unknown)}): "
            "check it on a Mac, or add them to export/coreml_evaluator"
        )


def _tensor(value: Value) -> torch.Tensor:
    if isinstance(value, str):
        raise TypeError("an output is a word")
    return value
