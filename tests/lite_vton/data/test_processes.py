"""Work in other processes comes back whole, or its end is told in one line."""

from __future__ import annotations

import os
import signal

import pytest

from lite_vton.data.processes import spawned
from lite_vton.errors import UserError


def _double(number: int) -> int:
    return 2 * number


def _end(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)  # as the system does when memory runs out
    return number


@pytest.mark.slow
def test_work_comes_back_from_other_processes() -> None:
    assert sorted(spawned(_double, range(5), 2)) == [0, 2, 4, 6, 8]


@pytest.mark.slow
def test_a_killed_worker_is_told_in_one_line() -> None:
    with pytest.raises(UserError, match="one of 2 worker processes was killed, most often because memory ran out"):
        list(spawned(_end, range(5), 2))
