"""Names the user typed, held against the names there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from lite_vton.errors import UserError

__all__ = ["one_of", "several_of", "words"]


def words(text: str) -> tuple[str, ...]:
    """`"fp32, fp16"` to its words, each once."""
    return tuple(dict.fromkeys(word for part in text.split(",") if (word := part.strip())))


def one_of(kind: str, name: str, known: Iterable[str]) -> str:
    """`name` if it is known; a `UserError` that suggests the nearest if not."""
    names = tuple(known)
    if name in names:
        return name
    nearest = get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"choose one of {', '.join(names)}"
    raise UserError(f"unknown {kind} {name!r}: {hint}")


def several_of(kind: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Every word of a comma-separated list, all known and at least one."""
    names = tuple(known)
    found = tuple(one_of(kind, word, names) for word in words(text))
    if not found:
        raise UserError(f"no {kind} given: choose from {', '.join(names)}")
    return found
