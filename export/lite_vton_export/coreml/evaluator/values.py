"""What operations work on: floating point numbers of any width in float32, held to the numbers their type has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch

__all__ = ["Answer", "Operands", "Operation", "Value", "as_value", "rounded"]

Value = torch.Tensor | str
"""A tensor (float16 and float32 as float32, integers and booleans as they are) or a word."""
Answer = torch.Tensor | tuple[torch.Tensor, ...]

_ROUNDING: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = MappingProxyType(
    {
        "fp16": lambda tensor: tensor.to(torch.float16).to(torch.float32),  # beyond 65504 infinite, as there
        "fp32": lambda tensor: tensor.to(torch.float32),
        "int32": lambda tensor: tensor.to(torch.int32),
        "int16": lambda tensor: tensor.to(torch.int16),
        "uint16": lambda tensor: tensor.to(torch.int32),  # torch has few operations on uint16
        "int8": lambda tensor: tensor.to(torch.int8),
        "uint8": lambda tensor: tensor.to(torch.uint8),
        "bool": lambda tensor: tensor.to(torch.bool),
    }
)


def rounded(tensor: torch.Tensor, kind: str) -> torch.Tensor:
    """`tensor` as numbers of the MIL type `kind`; a `KeyError` for a type that is not computed in."""
    return _ROUNDING[kind](tensor)


def as_value(constant: object) -> Value:
    """A constant of a program as coremltools reads it: an array, a number or a word."""
    if isinstance(constant, str | np.str_):
        return str(constant)
    array = np.array(constant)  # a copy: it may lie in the file
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    elif array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    return torch.from_numpy(array)


@dataclass(frozen=True)
class Operands:
    """The operands of one operation by MIL's names; a `KeyError` for one that is missing."""

    values: Mapping[str, Value | tuple[Value, ...]]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __getitem__(self, name: str) -> torch.Tensor:
        value = self.values[name]
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"operand {name} is no tensor")
        return value

    def maybe(self, name: str) -> torch.Tensor | None:
        """A tensor, or None where it was left out."""
        return self[name] if self.values.get(name) is not None else None

    def tensors(self, name: str) -> list[torch.Tensor]:
        """A list of tensors, also where it is of one."""
        value = self.values[name]
        return [tensor for tensor in (value if isinstance(value, tuple) else (value,)) if not isinstance(tensor, str)]

    def integers(self, name: str, default: tuple[int, ...] = ()) -> list[int]:
        """A list of whole numbers; the `default` where it was left out."""
        return [int(number) for number in self[name].flatten().tolist()] if name in self else list(default)

    def integer(self, name: str, default: int | None = None) -> int:
        """One whole number; the `default` where it was left out."""
        return default if default is not None and name not in self else int(self[name].item())

    def number(self, name: str, default: float | None = None) -> float:
        """One number; the `default` where it was left out."""
        return default if default is not None and name not in self else float(self[name].item())

    def flag(self, name: str, default: bool = False) -> bool:
        """Yes or no."""
        return bool(self[name].item()) if name in self else default

    def word(self, name: str, default: str = "") -> str:
        """A word, such as a mode."""
        value = self.values.get(name, default)
        if not isinstance(value, str):
            raise TypeError(f"operand {name} is no word")
        return value


Operation = Callable[[Operands], Answer]
"""What computes one operation kind. Rounding to the declared type is done by whoever calls it."""
