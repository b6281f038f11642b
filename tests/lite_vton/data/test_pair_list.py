"""Lists of pairs as people have them, and of whatever bytes."""

from __future__ import annotations

import codecs
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lite_vton.data.pair_list import Pair, read_pairs
from lite_vton.errors import UserError

QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ONE, TWO = Pair("a.jpg", "b.jpg"), Pair("c.jpg", "d.jpg")


@pytest.mark.parametrize(
    "text",
    [
        b"a.jpg b.jpg\nc.jpg d.jpg\n",
        codecs.BOM_UTF8 + b"a.jpg b.jpg\nc.jpg d.jpg",
        b"a.jpg b.jpg\r\nc.jpg d.jpg\r\n",
        b"a.jpg b.jpg\rc.jpg d.jpg",
        b"a.jpg\tb.jpg\t0\nc.jpg\td.jpg\t1\n",
        b"  a.jpg   b.jpg  \n\n \t\n c.jpg d.jpg 0 upper_body\n",
        b"# person garment\na.jpg b.jpg\nc.jpg d.jpg\na.jpg b.jpg\n",
    ],
)
def test_marks_line_ends_tabs_further_columns_comments_and_repetitions_change_nothing(
    tmp_path: Path, text: bytes
) -> None:
    (tmp_path / "pairs.txt").write_bytes(text)
    assert read_pairs(tmp_path / "pairs.txt") == [ONE, TWO]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("my photo 1.jpg red shirt (2).png", ("my photo 1.jpg", "red shirt (2).png")),
        ("my photo 1.JPG\tred shirt.JPEG", ("my photo 1.JPG", "red shirt.JPEG")),
        ("a.jpg.png b.v2.jpg upper", ("a.jpg.png", "b.v2.jpg")),
        ("00001_00 00002_00", ("00001_00", "00002_00")),
        ("größe.jpg 服.webp", ("größe.jpg", "服.webp")),
        ("..a.jpg a..jpg", ("..a.jpg", "a..jpg")),
    ],
)
def test_a_name_ends_with_a_picture_s_suffix_or_has_no_space(tmp_path: Path, line: str, names: tuple[str, str]) -> None:
    (tmp_path / "pairs.txt").write_text(line, encoding="utf-8")
    assert read_pairs(tmp_path / "pairs.txt") == [Pair(*names)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a.jpg b.jpg".encode("utf-16"), "is UTF-16 or no text"),
        ("a.jpg b.jpg".encode("utf-16-le"), "is UTF-16 or no text"),
        ("größe.jpg b.jpg".encode("latin-1"), "is not UTF-8, but Latin-1"),
        (b"a.jpg ../b.jpg", "line 1: .* is no pair"),
        (b"a.jpg b.jpg\n/etc/a.jpg b.jpg", "line 2: .* is no pair"),
        (b"..\\a.jpg b.jpg", "line 1: .* is no pair"),
        (b".. b.jpg", "line 1: .* is no pair"),
        (b"a.jpg,b.jpg", "line 1: .* is no pair"),
        (b"a" * 100_000, "line 1: .* is no pair"),
        (b"", "lists no pairs"),
        (b"# nothing\n", "lists no pairs"),
    ],
)
def test_what_is_no_list_is_refused_in_a_line(tmp_path: Path, text: bytes, says: str) -> None:
    (tmp_path / "pairs.txt").write_bytes(text)
    with pytest.raises(UserError, match=says) as caught:
        read_pairs(tmp_path / "pairs.txt")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_missing_list_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.txt", tmp_path / ("n" * 300)):
        with pytest.raises(UserError, match="cannot read"):
            read_pairs(path)


@QUICK
@given(content=st.one_of(st.binary(max_size=200), st.text("ab.jpgnPNG/\\ \t\r\n#", max_size=80).map(str.encode)))
def test_arbitrary_bytes_give_plain_names_or_a_refusal(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pairs.txt").write_bytes(content)
    with suppress(UserError):
        for pair in read_pairs(tmp_path / "pairs.txt"):
            for name in (pair.person, pair.cloth):
                assert Path(name).name == name
                assert name not in ("", ".", "..")
