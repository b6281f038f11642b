"""Engines are the same when only two entries have changed places, and in no other case."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lite_vton_export.tensorrt.same_engine import same_engine

OUTPUTS = ["picture", "decoded"]


def entry(name: str, rest: bytes) -> bytes:
    """As TensorRT-RTX 1.7.1 writes it."""
    length = len(name).to_bytes(8, "little")
    return b"\x13\x80\x01\0" + length + b"\x01\x80\x0c\x80\x01\0" + length + name.encode() + b"-\x80" + rest


blocks = st.tuples(*[st.binary(max_size=40)] * 4)


@given(blocks)
def test_entries_that_have_changed_places_count_as_the_same(parts: tuple[bytes, ...]) -> None:
    before, one, other, after = parts
    first, second = entry("picture", one), entry("decoded", other)
    assert same_engine(before + first + second + after, before + second + first + after, OUTPUTS)


@given(blocks, st.data())
def test_one_bit_elsewhere_makes_another_engine(parts: tuple[bytes, ...], data: st.DataObject) -> None:
    before, one, other, after = parts
    first, second = entry("picture", one), entry("decoded", other)
    for content in (before + first + second + after, before + second + first + after):
        bit = data.draw(st.integers(0, len(content) * 8 - 1))
        altered = bytearray(content)
        altered[bit // 8] ^= 1 << bit % 8
        assert not same_engine(before + first + second + after, bytes(altered), OUTPUTS)


def test_other_outputs_are_compared_byte_for_byte() -> None:
    first, second = entry("picture", b"1"), entry("decoded", b"2")
    assert same_engine(first + second, first + second, ["answer"])
    assert not same_engine(first + second, second + first, ["answer"])
    assert not same_engine(first + second, first + second + b"\0", OUTPUTS)
