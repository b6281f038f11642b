"""MATLAB files, version 5, of whatever bytes: checked, and then read by SciPy.

SciPy 1.17 takes the kind of an element for an index without looking at it, and a broken file ends the process. So the
kinds are looked at first. The format is MathWorks' "MAT-File Format", level 5: elements of a kind, a size and so many
bytes, and a matrix is an element that holds its class, its dimensions, its name and its numbers as elements.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

from lite_vton.errors import UserError

__all__ = ["read_variable"]

_HEADER, _MATRIX, _COMPRESSED, _CELLS = 128, 14, 15, 1
_ENDS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}  # how the header ends, and so in which order bytes are
_NUMBERS = frozenset({*range(1, 8), 9, 12, 13})
_HELD_BY = {4: _NUMBERS | {16, 17, 18}, **dict.fromkeys(range(6, 16), _NUMBERS)}
"""Kinds of element by the class of a matrix, text and numbers; structs, objects and sparse matrices are left out."""
_COMPLEX = 0x800
_BROKEN = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    EOFError,
    NotImplementedError,  # what SciPy says of a later version of the format, and so of a changed version number
    RecursionError,
    struct.error,
    zlib.error,
)
"""What SciPy's reader, and the check before it, raise for broken files."""
_LARGEST = 1 << 28  # bytes of a file once unpacked, and entries of an array


def read_variable(path: Path, name: str) -> Any:
    """Variable `name` of the file, as SciPy gives it. `UserError` for a file that is broken or has none."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        data = path.read_bytes()
        _check(data)
        content = loadmat(BytesIO(data), variable_names=[name])
    except (*_BROKEN, MatReadError) as error:
        raise UserError(f"cannot read {path}: it should be a MATLAB file, version 5") from error
    if name not in content:
        raise UserError(f"{path} holds no {name}: copy the dataset again")
    return content[name]


def _check(data: bytes) -> None:
    """`ValueError`, or `struct.error` or `zlib.error`, for what SciPy should not be given."""
    if 0 in data[:4]:  # version 4
        raise ValueError("no text at the start")
    order = _ENDS.get(data[_HEADER - 4 : _HEADER])
    if order is None:
        raise ValueError("no MATLAB file of version 5")
    for kind, body in _elements(data[_HEADER:], order):
        if kind == _COMPRESSED:
            unpacked = zlib.decompressobj().decompress(body, _LARGEST)
            ((kind, body),) = _elements(unpacked, order)
        _check_matrix(kind, body, order)


def _check_matrix(kind: int, body: bytes, order: str) -> None:
    if kind != _MATRIX:
        raise ValueError(f"kind {kind} where a matrix should be")
    if not body:
        return
    (flags_kind, flags), (sizes_kind, sizes), (name_kind, _), *parts = _elements(body, order)
    if (flags_kind, len(flags), sizes_kind, len(sizes) % 4, name_kind) != (6, 8, 5, 0, 1):
        raise ValueError("a matrix begins with its class, its dimensions and its name")
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    if min(shape, default=-1) < 0 or prod(shape) > _LARGEST:
        raise ValueError(f"dimensions {shape}")
    (word,) = struct.unpack(f"{order}I", flags[:4])
    found = word & 0xFF
    if found == _CELLS:
        if len(parts) != prod(shape):
            raise ValueError(f"{len(parts)} cells of {prod(shape)}")
        for inner, cell in parts:
            _check_matrix(inner, cell, order)
    elif len(parts) != (2 if word & _COMPLEX else 1) or any(kind not in _HELD_BY.get(found, ()) for kind, _ in parts):
        raise ValueError(f"numbers of no known kind in a matrix of class {found}")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of each, up to the end. `ValueError` for one that reaches beyond it."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack(f"{order}II", data[at : at + 8])
        if kind >> 16:  # up to four bytes stand in the tag itself
            kind, size, begin, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        else:
            begin = at + 8
            # Only what is compressed is not filled up to eight bytes.
            end = begin + size + (0 if kind == _COMPRESSED else -size % 8)
        if begin + size > min(end, len(data)):
            raise ValueError(f"an element of {size} bytes at {at}")
        yield kind, data[begin : begin + size]
        at = end
