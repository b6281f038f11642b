"""Hold what a caller passes in against what a component declares, the same way for every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import TensorSpec
from lite_vton.errors import UserError

__all__ = ["check_declared", "ordered"]


def ordered(
    component: str, specs: Sequence[TensorSpec], inputs: Mapping[str, NDArray[np.generic]]
) -> list[NDArray[np.generic]]:
    """The arrays of `inputs` in the order of `specs`, contiguous.

    Raises `UserError` if a name, shape or dtype is not the declared one: backends differ in what they let pass,
    and some would broadcast or convert without a word.
    """
    if set(inputs) != {spec.name for spec in specs}:
        wanted = ", ".join(spec.name for spec in specs)
        raise UserError(f"{component} takes the tensors {wanted}, not {', '.join(inputs) or 'none'}")
    for spec in specs:
        given = inputs[spec.name]
        if given.shape != spec.shape or given.dtype != spec.dtype:
            raise UserError(
                f"{component} takes {spec.name} as {spec.dtype} {spec.shape}, not {given.dtype} {given.shape}: "
                "prepare the inputs at the size of this bundle's model"
            )
    return [np.ascontiguousarray(inputs[spec.name]) for spec in specs]


def check_declared(
    file: Path, kind: str, found: Sequence[tuple[str, tuple[object, ...], str]], declared: Sequence[TensorSpec]
) -> None:
    """A `UserError` unless a file's `kind`, inputs or outputs, are those that its manifest declares, in any order.

    Each of `found` is name, shape and dtype; a shape may hold names of sides that are not fixed.
    """
    in_manifest = [(spec.name, spec.shape, spec.dtype) for spec in declared]
    if sorted(found, key=str) != sorted(in_manifest, key=str):
        raise UserError(f"{file} has {kind} {[*found]}, its manifest says {in_manifest}: export the bundle again")
