"""A server's memory does not grow with the number of its requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from lite_vton.bundle import Bundle
from tests.reliability.served import Files
from tests.runtimes.server.conftest import as_bmp

pytest.importorskip("fastapi", reason="needs the extra serve")

from tests.reliability.requests import memory
from tests.reliability.served import served

pytestmark = pytest.mark.slow

WARM_UP = 14  # requests; by then the networks are loaded, four pairs are kept, and each fault has been made once
COUNT = 16  # half of them dressed; one decoded photo kept of each would be 75 MB
MEGABYTES = 35  # the system's allocator alone has taken up to 17


def test_memory_stays_where_it_is_after_the_first_requests(bundle: Bundle, page: Path, files: Files) -> None:
    large = {**files, "person": ("me.bmp", as_bmp(files["person"][1], (1536, 2048)))}
    with served(bundle.root, page) as server:
        first = max(memory(server, large, WARM_UP))
        assert max(memory(server, large, COUNT)) < first + MEGABYTES
