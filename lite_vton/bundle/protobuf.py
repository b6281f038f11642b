"""A walk over a protobuf file's bytes, to find what is at certain places in it without the library that made it.

Every occurrence of a field is visited: parsers differ in which of several they keep, and merge messages that come
twice. What is not at one of the places is passed over in one step, so that weights are never read.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["Messages", "fields_of", "submessages"]

Messages = Mapping[str, Mapping[int, str]]
"""By the name of a message, the numbers of its fields that are messages, with their names."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_MOST_FIELDS = 5_000_000
"""A U-Net of full size has a hundred thousand; many more would only keep the reader busy."""
_MOST_VARINT, _MOST_TAG = 10, 5  # bytes; what is longer is no protobuf, or read otherwise by another parser


def submessages(path: Path, messages: Messages, root: str) -> Iterator[tuple[str, memoryview]]:
    """Every message of the file that the table knows, with its name and bytes, the root first; in no other order.

    Raises `ValueError` for what is no protobuf.
    """
    if path.stat().st_size == 0:
        return
    left = iter(range(_MOST_FIELDS))
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as whole,
    ):
        waiting = [(root, 0, len(whole))]
        while waiting:
            name, start, end = waiting.pop()
            with whole[start:end] as body:
                yield name, body
                for number, first, last in _places(body, left):
                    if number in messages[name]:
                        waiting.append((messages[name][number], start + first, start + last))


def fields_of(body: memoryview) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field that has bytes; numbers are passed over. `ValueError` as `submessages`."""
    for number, first, last in _places(body, iter(range(_MOST_FIELDS))):
        yield number, bytes(body[first:last])


def _places(body: memoryview, left: Iterator[int]) -> Iterator[tuple[int, int, int]]:
    """Each field with bytes: its number, and where the bytes begin and end. Each field takes one of `left`."""
    at, end = 0, len(body)
    while at < end:
        if next(left, None) is None:
            raise ValueError("more fields than any network has")
        tag, at = _varint(body, at, _MOST_TAG)
        number, kind = tag >> 3, tag & 7
        if number == 0 or number >= 1 << 29:
            raise ValueError("a field without a number")
        if kind == _VARINT:
            _, at = _varint(body, at, _MOST_VARINT)
        elif kind in _FIXED:
            at += _FIXED[kind]
        elif kind == _BYTES:
            size, at = _varint(body, at, _MOST_VARINT)
            if size > end - at:
                raise ValueError("cut short")
            yield number, at, at + size
            at += size
        else:  # groups, which neither format has
            raise ValueError(f"a field of kind {kind}")
    if at != end:
        raise ValueError("cut short")


def _varint(body: memoryview, at: int, most: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * most, 7):
        if at >= len(body):
            raise ValueError("cut short")
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")
