"""One thing at a time: a queue with a bound, a time limit for each place in it, and work that can be stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager
from time import monotonic
from typing import TypeVar

from lite_vton_runtimes.server.refusals import RefusedError

__all__ = ["OneQueue", "Place", "Stop"]

T = TypeVar("T")

_LOOK = 0.1  # seconds between two looks at the clock and at the client
_STOPPING = "the server is stopping: try again later"


class Stop:
    """Asked by work, between two pieces of it, whether to go on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = monotonic() + seconds
        self._asked: RefusedError | None = None

    def ask(self, error: RefusedError) -> None:
        """Let the next `check` raise `error`."""
        self._asked = self._asked or error

    def check(self) -> None:
        """Raise a `RefusedError` if the work is to end: "out-of-time", or what was asked for."""
        if monotonic() > self._until:
            self.ask(RefusedError("out-of-time", f"this took more than {self._seconds:g} s: choose fewer steps"))
        if self._asked is not None:
            raise self._asked


class Place:
    """A place in the queue, kept until its work has really ended."""

    def __init__(self, pool: ThreadPoolExecutor, stop: Stop) -> None:
        self.stop = stop
        self.job: Future[object] | None = None
        self._pool = pool

    async def run(self, work: Callable[[Stop], T], has_gone: Callable[[], Awaitable[bool]]) -> T:
        """What `work` gives, in the one thread, when its turn comes; `has_gone` tells that nobody waits any more.

        Raises what `work` raises, and a `RefusedError` as soon as the time is over; the work itself ends at its next
        `check`.
        """
        job = self._pool.submit(work, self.stop)
        self.job = job  # type: ignore[assignment]
        result = asyncio.wrap_future(job)
        result.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            while not result.done():
                await asyncio.wait({result}, timeout=_LOOK)
                if not result.done():
                    self.stop.check()
                    if await has_gone():
                        self.stop.ask(RefusedError("cancelled", "cancelled: start again when you like"))
        except (RefusedError, asyncio.CancelledError):
            self.stop.ask(RefusedError("cancelled", "cancelled: start again when you like"))
            job.cancel()  # where its turn has not come
            raise
        return result.result()


class OneQueue:
    """`places` for requests, one of which is worked on. For one event loop."""

    def __init__(self, places: int) -> None:
        self._pool = ThreadPoolExecutor(1, "try-on")
        self._places = places
        self._taken: set[Place] = set()
        self.is_taking = True
        """Whether new places are given, until `stop_taking`."""

    def __len__(self) -> int:
        """Places taken."""
        return len(self._taken)

    def check(self) -> None:
        """A `RefusedError` where no place is to be had: "busy", or "stopping"."""
        if not self.is_taking:
            raise RefusedError("stopping", _STOPPING)
        if len(self._taken) >= self._places:
            raise RefusedError("busy", f"{self._places} try-ons are waiting already: try again in a few seconds")

    @asynccontextmanager
    async def place(self, seconds: float) -> AsyncIterator[Place]:
        """A place for `seconds`, or a `RefusedError` as `check`."""
        self.check()
        place = Place(self._pool, Stop(seconds))
        self._taken.add(place)
        try:
            yield place
        finally:
            self._left(place)

    def stop_taking(self) -> None:
        """Give no more places; what has one goes on."""
        self.is_taking = False

    def stop(self) -> None:
        """Refuse ("stopping") what waits, and what is under way at its next step."""
        self.stop_taking()
        for place in self._taken:
            place.stop.ask(RefusedError("stopping", _STOPPING))

    @property
    def has_ended(self) -> bool:
        """Whether no work is under way."""
        return all(place.job is None or place.job.done() for place in self._taken)

    def close(self, seconds: float = 10) -> None:
        """Stop, and wait at most `seconds` for the work under way."""
        self.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait([place.job for place in self._taken if place.job is not None], seconds)

    def _left(self, place: Place) -> None:
        if place.job is None or place.job.done():
            self._taken.discard(place)
            return
        loop = asyncio.get_running_loop()

        def ended(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._taken.discard, place)

        place.job.add_done_callback(ended)
