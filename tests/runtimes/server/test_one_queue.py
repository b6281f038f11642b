"""The queue: one thing at a time, a bound, a time limit that stops work, places that are kept until it has ended."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from lite_vton_runtimes.server.one_queue import OneQueue, Stop
from lite_vton_runtimes.server.refusals import RefusedError


async def stays() -> bool:
    return False


async def gone() -> bool:
    return True


def until_stopped(stop: Stop) -> None:
    while True:
        stop.check()
        time.sleep(0.01)


async def until_free(queue: OneQueue) -> None:
    """Returns once somebody is let in; for ever, if work that was given up keeps its place."""
    while True:
        try:
            async with queue.place(60):
                return
        except RefusedError:
            await asyncio.sleep(0.01)


def test_work_is_done_one_at_a_time_and_no_more_waits_than_may() -> None:
    running, most = 0, 0

    def work(_: Stop) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.05)
        running -= 1
        return 1

    async def main() -> list[object]:
        queue = OneQueue(3)

        async def ask() -> int:
            async with queue.place(10) as place:
                return await place.run(work, stays)

        answers = await asyncio.gather(*(ask() for _ in range(8)), return_exceptions=True)
        queue.close()
        return list(answers)

    answers = asyncio.run(main())
    assert answers.count(1) == 3
    refused = [answer for answer in answers if isinstance(answer, RefusedError)]
    assert len(refused) == 5
    assert {answer.trouble for answer in refused} == {"busy"}
    assert most == 1


@pytest.mark.parametrize(("seconds", "has_gone", "trouble"), [(0.3, stays, "out-of-time"), (10, gone, "cancelled")])
def test_work_stops_when_its_time_is_over_or_nobody_waits_and_then_its_place_is_free(
    seconds: float, has_gone: object, trouble: str
) -> None:
    async def main() -> None:
        queue = OneQueue(1)
        with pytest.raises(RefusedError) as refused:
            async with queue.place(seconds) as place:
                await place.run(until_stopped, has_gone)  # type: ignore[arg-type]
        assert refused.value.trouble == trouble
        await until_free(queue)
        async with queue.place(10) as place:
            assert await place.run(lambda _: "next", stays) == "next"
        queue.close()

    asyncio.run(main())


def test_a_place_is_kept_while_work_that_is_no_longer_waited_for_goes_on() -> None:
    async def main() -> None:
        queue, release = OneQueue(1), threading.Event()
        with pytest.raises(RefusedError):
            async with queue.place(0.2) as place:
                await place.run(lambda _: release.wait(60), stays)
        with pytest.raises(RefusedError) as refused:
            async with queue.place(1):
                pass
        assert refused.value.trouble == "busy"
        release.set()
        await until_free(queue)
        async with queue.place(1):
            pass
        queue.close()

    asyncio.run(main())
