"""JSON out of other people's files, where every reader has to see the same."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from lite_vton.errors import UserError

__all__ = ["settings_in", "strict_json"]

_MARK = b"\xef\xbb\xbf"


def strict_json(content: bytes) -> Any:
    """What the UTF-8 text says, a byte order mark before it passed over.

    Raises `ValueError` for what is no JSON, for one key twice in an object, of which each parser takes another, for
    numbers that are not finite, and for what is nested too deep to be read.
    """
    try:
        text = content.removeprefix(_MARK).decode("utf-8")
        return json.loads(text, object_pairs_hook=_each_once, parse_constant=_refused, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def settings_in(file: Path, mend: str) -> dict[str, Any]:
    """The JSON object in a settings file; for anything else a `UserError` that ends with what to do, `mend`."""
    try:
        content = strict_json(file.read_bytes())
    except ValueError as error:
        raise UserError(f"{file} is not readable JSON ({error}): {mend}") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} holds no JSON object: {mend}")
    return content


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise ValueError(f"the key {twice[:100]!r} twice")
    return found


def _refused(word: str) -> float:
    raise ValueError(f"the number {word}")


def _finite(word: str) -> float:
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(f"the number {word[:40]}")
    return value
