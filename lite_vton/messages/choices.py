"""Names the user typed, held against the names there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeVar

from lite_vton.errors import UserError

__all__ = ["one_of", "several_of", "suggestion", "words"]

_Name = TypeVar("_Name", bound=str)


def words(text: str) -> tuple[str, ...]:
    """`"fp32, fp16"` to its words, each once."""
    return tuple(dict.fromkeys(word for part in text.split(",") if (word := part.strip())))


def one_of(kind: str, name: str, known: Iterable[_Name]) -> _Name:
    """The one of `known` that is called `name`; a `UserError` that suggests the nearest if there is none."""
    names = tuple(known)
    for one in names:
        if one == name:
            return one
    raise UserError(f"unknown {kind} {name!r}: {suggestion(name, names)}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest of `known`, or all of them where none is near."""
    names = tuple(known)
    by_small_letters = {one.lower(): one for one in names}
    nearest = get_close_matches(name.lower(), by_small_letters, n=1)
    return f"did you mean {by_small_letters[nearest[0]]!r}?" if nearest else f"choose one of {', '.join(names)}"


def several_of(kind: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Every word of a comma-separated list, all known and at least one."""
    names = tuple(known)
    found = tuple(one_of(kind, word, names) for word in words(text))
    if not found:
        raise UserError(f"no {kind} given: choose from {', '.join(names)}")
    return found
