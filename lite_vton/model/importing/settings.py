"""A component's `config.json` next to the settings a preset is built with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from lite_vton.model.importing.kinds import MisfitError

__all__ = ["compare"]


def compare(
    theirs: Mapping[str, object], ours: Mapping[str, object], made_by: Callable[..., object], file: Path
) -> None:
    """`MisfitError` where settings differ; what is not said is what `made_by` takes by default."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(made_by).parameters.items()}
    for name, wanted in ours.items():
        said = theirs.get(name, defaults.get(name, wanted))
        if _plain(said, wanted) != _plain(wanted, said):
            raise MisfitError(f"{file} says {name} is {str(said)[:60]}, the preset has {str(wanted)[:60]}")


def _plain(value: object, beside: object) -> object:
    """Lists as tuples; one number beside several as that many of it."""
    if isinstance(value, list | tuple):
        return tuple(value)
    return (value,) * len(beside) if isinstance(beside, list | tuple) else value
