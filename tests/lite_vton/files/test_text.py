"""Text that somebody gives."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from lite_vton.errors import UserError
from lite_vton.files.text import read_given_bytes, text_of


def test_a_byte_order_mark_is_passed_over() -> None:
    assert text_of(codecs.BOM_UTF8 + "ä".encode(), "it") == text_of("ä".encode(), "it") == "ä"


def test_other_encodings_are_named() -> None:
    for encoding, says in (("utf-16", "UTF-16"), ("utf-16-be", "UTF-16"), ("utf-32", "UTF-16"), ("latin-1", "Latin-1")):
        with pytest.raises(UserError, match=f"it is .*{says}.*: save it as UTF-8"):
            text_of("ä list".encode(encoding), "it")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "a\0b", tmp_path / ("n" * 300)):
        with pytest.raises(UserError, match="cannot read it"):
            read_given_bytes(path, "it")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # nobody will ever write to it
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(UserError, match=f"cannot read {name}: it is not a file"):
            read_given_bytes(tmp_path / name, name)
