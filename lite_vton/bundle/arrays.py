"""The arrays of npz files that others made."""

from __future__ import annotations

import ast
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle.zip_file import is_zip, opened_zip
from lite_vton.errors import UserError

__all__ = ["load_arrays"]

_MOST_BYTES = 2 << 30
"""Limit for all arrays of a file together, once unpacked; 20 steps at 1024x768 take a tenth of it."""
_MOST_HEADER = 4096  # bytes
_KINDS = "biufU"
"""Truth values, whole numbers, numbers and text: no objects, records, dates or raw bytes."""
_LENGTHS = {b"\x01\x00": "<H", b"\x02\x00": "<I", b"\x03\x00": "<I"}
"""How the length of a header is written, by version of the format."""


def load_arrays(
    path: Path, *, mend: str = "export the bundle again", most_bytes: int = _MOST_BYTES
) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file by key, together of at most `most_bytes`.

    Nothing is unpickled, and no more memory is taken than the file's own directory promises. Raises `UserError` for a
    file that is no npz, is damaged, or holds something else than plain arrays; `mend` says there what to do.
    """
    if not is_zip(path):
        raise UserError(f"{path.name} holds no plain arrays (not an npz file): {mend}")
    found: dict[str, NDArray[Any]] = {}
    with opened_zip(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > most_bytes:
            raise UserError(f"{path.name} holds more than {most_bytes >> 30} GB of arrays: {mend}")
        for member in members:
            key = member.filename.removesuffix(".npy")
            if key == member.filename or key in found:
                raise UserError(f"{path.name} holds {member.filename!r}, which is no array or there twice: {mend}")
            try:
                found[key] = _array(archive, member)
            # What Python's parser raises for a header that is no literal, and numpy for a kind that it does not know.
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
                reason = " ".join(str(error).split())[:200]
                raise UserError(f"{path.name} holds no plain arrays ({key}: {reason}): {mend}") from error
    return found


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    content = archive.read(member)
    shape, fortran_order, dtype, start = _header(content)
    if dtype.kind not in _KINDS or dtype.subdtype is not None or dtype.itemsize == 0:
        raise ValueError(f"of {dtype}")
    if math.prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError(f"{len(content) - start} bytes for {dtype} in the shape {shape}")
    # A copy: what is cut out of bytes cannot be written to.
    flat = np.frombuffer(content, dtype, offset=start).copy()
    return flat.reshape(shape, order="F" if fortran_order else "C")


def _header(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, kind, and where the numbers begin; `ValueError` and Python's parser's errors for what is none."""
    length = _LENGTHS.get(content[6:8])
    if content[:6] != b"\x93NUMPY" or length is None:
        raise ValueError("no npy file of a known version")
    first = 8 + struct.calcsize(length)
    (size,) = struct.unpack(length, content[8:first].ljust(first - 8))
    if size > min(_MOST_HEADER, len(content) - first):
        raise ValueError("a header longer than it may be")
    said = ast.literal_eval(content[first : first + size].decode("latin1"))
    if not isinstance(said, dict) or set(said) != {"descr", "fortran_order", "shape"}:
        raise ValueError("a header of other keys")
    shape, kind = said["shape"], said["descr"]
    sides = isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)
    if not sides or not isinstance(kind, str):
        raise ValueError("no plain shape and kind")
    return shape, bool(said["fortran_order"]), np.dtype(kind), first + size
