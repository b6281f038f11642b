"""What garments are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.garments.files import garment_files
from lite_vton.errors import UserError


def named(folder: Path, *files: str) -> dict[str, str]:
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return {file.source: file.name for file in garment_files(folder).files}


def test_names_keep_class_and_file(tmp_path: Path) -> None:
    assert named(tmp_path, "dress/0001.jpg", "lone.PNG", "summer/shirt/a.b.jpeg") == {
        "dress/0001.jpg": "dress_0001",
        "lone.PNG": "lone",
        "summer/shirt/a.b.jpeg": "shirt_a.b",
    }


def test_names_that_would_be_the_same_are_told_apart(tmp_path: Path) -> None:
    names = named(tmp_path, "dress/a.jpg", "dress/a.png", "old/dress/A.jpg", "dress/b c.jpg", "dress/b-c.jpg")
    assert len({name.lower() for name in names.values()}) == 5
    assert all(name.startswith("dress_") for name in names.values())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40),
        min_size=1, max_size=6, unique=True,
    )
)  # fmt: skip
def test_any_names_become_unique_words(tmp_path_factory: pytest.TempPathFactory, stems: list[str]) -> None:
    folder = tmp_path_factory.mktemp("names")
    for stem in stems:
        (folder / f"x{stem}.jpg").touch()
    names = [file.name for file in garment_files(folder).files]
    assert len({name.lower() for name in names}) == len(os.listdir(folder))  # noqa: PTH208
    for name in names:
        assert name.split() == [name]
        assert Path(name).name == name
        assert len(name.encode()) < 200


def test_a_name_that_is_no_text_can_be_reported(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/sh\xffirt.jpg"))).touch()
    (file,) = garment_files(tmp_path).files
    assert file.source.encode() == rb"sh\xffirt.jpg"
    assert file.path.is_file()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    named(tmp_path, "dress/0001.jpg", "secret/0001.jpg")
    (tmp_path / "secret").chmod(0)
    try:
        with pytest.raises(UserError, match=r"cannot read .*secret"):
            garment_files(tmp_path)
    finally:
        (tmp_path / "secret").chmod(0o755)
