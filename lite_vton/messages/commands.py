"""Commands that a message tells people to type, quoted so that a shell takes them as they are meant."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle

__all__ = ["command", "how_to_add", "quoted"]

_SOURCE = "onnx-fp32"
_FROM_WEIGHTS = frozenset({"coreml", "coreai", "int8"})
"""Formats and precisions that float32 ONNX files are not enough for."""


def command(*words: str | Path) -> str:
    """`lite-vton` with these words, to be pasted into a shell; a `Path` is never taken for an option."""
    return " ".join(["lite-vton", *(quoted(word) for word in words)])


def quoted(word: str | Path) -> str:
    """One word for a shell. A path that begins with a dash would be an option, so it gets a `./`."""
    text = str(word)
    return shlex.quote(f"./{text}" if isinstance(word, Path) and text.startswith("-") else text)


def how_to_add(bundle: Bundle, format: str, precision: str | None = None, *, fused: bool = False) -> str:
    """What to do about an artifact that a bundle lacks: the command that adds it, or that another bundle is needed."""
    manifest = bundle.manifest
    if manifest.golden is None or (manifest.weights is None and _SOURCE not in manifest.artifacts):
        return "export the model itself"
    if manifest.weights is None and {format, precision} & _FROM_WEIGHTS:
        return "it is made from weights, which this bundle has not"
    words = ["--format", format, *(() if precision is None else ("--precision", precision))]
    line = command("export", bundle.given, *words, *(["--fused"] if fused else []), "--overwrite")
    return f"export it (`{line}`)"
