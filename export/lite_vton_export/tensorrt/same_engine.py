"""Whether two TensorRT engines are the same: byte for byte, but for the order in which one table names the outputs.

TensorRT-RTX (1.7) lists the outputs of a graph once more behind its plan, in an order that changes from build to build
and means nothing: they are asked for by name. All other bytes are the same whenever the ONNX file is.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["same_engine"]

_TEXT, _WITHIN, _PAST = b"\x13\x80\x01\0", b"\x01\x80\x0c\x80\x01\0", b"-\x80"
"""What stands around an output's name in that table, and nowhere else: marks of the engine's own format."""


def same_engine(one: bytes, other: bytes, outputs: Sequence[str]) -> bool:
    """Whether two engines hold the same; of two `outputs`, by their names, the entries may have changed places."""
    if one == other:
        return True
    if len(one) != len(other) or len(outputs) != 2:
        return False
    here, there = (sorted((content.find(_entry(name)), name) for name in outputs) for content in (one, other))
    (first, name), (second, _) = here
    (start, _), (middle, moved) = there
    if first < 0 or start != first or moved != name:
        return False
    end = second + middle - start  # the entry that was second has the length of the one that is first now
    swapped = one[:first] + one[second:end] + one[first:second] + one[end:]
    return swapped == other


def _entry(name: str) -> bytes:
    """How the entry of an output begins: its name, after its length in each of two wrappers."""
    text = name.encode()
    length = len(text).to_bytes(8, "little")
    return _TEXT + length + _WITHIN + length + text + _PAST
