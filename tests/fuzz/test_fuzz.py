"""The short form of the driver: a few seconds of damaged files, and that it finds what it is there to find."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.campaign import run
from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS

SHORT = ("manifest", "golden-arrays", "bundle-zip", "onnx", "keypoints", "photo-png", "engine-record")


def test_the_same_numbers_damage_a_file_the_same_way() -> None:
    for content in (b'{"a": [1, 2, 3], "b": "text"}', bytes(range(256)) * 3, b""):
        found = [mutated(content, Random(case)) for case in range(300)]
        assert found == [mutated(content, Random(case)) for case in range(300)]
        assert len(set(found)) > 100 or not content


def test_every_reader_has_a_name_of_its_own_and_a_share() -> None:
    assert len(READERS) >= 30
    assert all(row.share > 0 for row in READERS.values())


@pytest.mark.slow
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    readers = [READERS[name] for name in SHORT]
    tallies = run(readers, [range(60)] * len(readers), 1, tmp_path)
    for tally in tallies:
        assert not tally.faults, "\n".join(f"{found.command}\n{found.text}" for found in tally.faults)
        assert tally.cases == 60
