"""A server that answers many requests stays as large as it is; tests/reliability/requests.py is the long form."""

from __future__ import annotations

from pathlib import Path

import pytest

from lite_vton.bundle import Bundle
from tests.reliability.served import Files, served

pytest.importorskip("fastapi", reason="needs the extra serve")

from tests.reliability.requests import MEGABYTES, memory


def test_memory_stays_flat_over_good_and_bad_requests(bundle: Bundle, page: Path, files: Files) -> None:
    with served(bundle.root, page) as server:
        found = list(memory(server, files, 40))
    assert max(found[3:]) - found[2] < MEGABYTES, found
