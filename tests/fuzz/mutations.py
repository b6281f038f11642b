"""Ways to damage a file's bytes: by bits, by pieces, by numbers, and by words where it is text."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from random import Random

__all__ = ["mutated"]

_MOST = 4
"""Mutations of one file at once."""

Mutation = Callable[[bytes, Random], bytes]


def mutated(content: bytes, random: Random) -> bytes:
    """`content` after one to four mutations; sometimes they cancel out, and it is as it was."""
    for _ in range(random.randint(1, _MOST)):
        choices = _OF_TEXT if random.random() < 0.7 and _is_text(content) else _OF_BYTES
        content = random.choice(choices)(content, random)
    return content


def _is_text(content: bytes) -> bool:
    head = content[:1024]
    return bool(head) and all(32 <= byte < 127 or byte in b"\r\n\t" for byte in head)


def _place(content: bytes, random: Random) -> int:
    """Somewhere in the file; the ends, where headers and directories are, as often as all of the rest."""
    if not content:
        return 0
    size = len(content)
    near = random.choice((64, 512, size))
    return random.choice((random.randrange(min(near, size)), size - 1 - random.randrange(min(near, size))))


def _piece(content: bytes, random: Random) -> slice:
    start = _place(content, random)
    return slice(start, start + random.choice((1, 2, 4, 8, 16, 64, 256, 4096)))


def _flip(content: bytes, random: Random) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    changed[_place(content, random)] ^= 1 << random.randrange(8)
    return bytes(changed)


def _byte(content: bytes, random: Random) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    changed[_place(content, random)] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    return bytes(changed)


def _cut_short(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)]


def _delete(content: bytes, random: Random) -> bytes:
    piece = _piece(content, random)
    return content[: piece.start] + content[piece.stop :]


def _insert(content: bytes, random: Random) -> bytes:
    place = _place(content, random)
    return content[:place] + random.randbytes(random.choice((1, 2, 4, 8, 64))) + content[place:]


def _repeat(content: bytes, random: Random) -> bytes:
    piece = _piece(content, random)
    return content[: piece.stop] + content[piece] * random.choice((1, 2, 50)) + content[piece.stop :]


def _splice(content: bytes, random: Random) -> bytes:
    piece, place = _piece(content, random), _place(content, random)
    return content[:place] + content[piece] + content[place + (piece.stop - piece.start) :]


_NUMBERS = (
    0,
    1,
    -1,
    2,
    127,
    128,
    255,
    256,
    32767,
    65535,
    65536,
    2**24,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**62,
    -(2**63),
)


def _number(content: bytes, random: Random) -> bytes:
    number, width = random.choice(_NUMBERS), random.choice((1, 2, 4, 8))
    packed = struct.pack(random.choice("<>") + "q", number)
    packed = packed[:width] if random.random() < 0.5 else packed[-width:]
    place = _place(content, random)
    return content[:place] + packed + content[place + width :]


_OF_BYTES: tuple[Mutation, ...] = (_flip, _flip, _byte, _byte, _cut_short, _delete, _insert, _repeat, _splice, _number)

_TOKEN = re.compile(rb'"[^"]{0,200}"|-?[0-9][0-9.eE+-]*|[A-Za-z_][A-Za-z_0-9]*|[\[\]{}<>:,;/=]')
_WORDS = (
    *(b"0", b"-1", b"1", b"0.5", b"1e999", b"-1e999", b"1e-320", b"2147483648", b"18446744073709551616", b"9" * 5000),
    *(b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b"false", b"[]", b"{}", b'{"a":1,"a":2}', b"[[[[]]]]"),
    *(b'""', b'"\\ud800"', b'"\\u0000"', b'"../../x"', b'"/etc/passwd"', b"'", b"<a>", b"&lt;", b"%s"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\r", b"[" * 3000, b'{"a":' * 3000),
)


def _tokens(content: bytes, random: Random) -> list[re.Match[bytes]]:
    start = random.randrange(max(len(content) - 4096, 1))
    return list(_TOKEN.finditer(content, start, start + 8192))


def _other_word(content: bytes, random: Random) -> bytes:
    found = _tokens(content, random)
    if not found:
        return content
    token = random.choice(found)
    return content[: token.start()] + random.choice(_WORDS) + content[token.end() :]


def _swapped_words(content: bytes, random: Random) -> bytes:
    found = _tokens(content, random)
    if len(found) < 2:
        return content
    first, second = sorted(random.sample(found, 2), key=re.Match.start)
    parts = (
        content[: first.start()],
        second[0],
        content[first.end() : second.start()],
        first[0],
        content[second.end() :],
    )
    return b"".join(parts)


def _deleted_word(content: bytes, random: Random) -> bytes:
    found = _tokens(content, random)
    if not found:
        return content
    token = random.choice(found)
    return content[: token.start()] + content[token.end() :]


def _recoded(content: bytes, random: Random) -> bytes:
    text = content.decode("utf-8", "replace")
    return random.choice((b"\xef\xbb\xbf" + content, text.encode("utf-16"), text.replace("\n", "\r\n").encode()))


_OF_TEXT: tuple[Mutation, ...] = (_other_word, _other_word, _other_word, _swapped_words, _deleted_word, _recoded)
