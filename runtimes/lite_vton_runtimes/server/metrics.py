"""What the server counts, in the text format that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CONTENT_TYPE", "Counted", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120)


class Metrics:
    """Requests by call and status, how long they took, what was refused and why, how many wait."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lite_vton_requests", "Requests that were answered.", ["call", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "lite_vton_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ["call"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._errors = Counter(
            "lite_vton_errors", "Requests that were refused, by what was wrong.", ["trouble"], registry=self._registry
        )
        queue = Gauge("lite_vton_queue", "Requests that wait or are worked on.", registry=self._registry)
        queue.set_function(waiting)

    def refused(self, trouble: str) -> None:
        """Count an error by its word in `lite_vton_runtimes.server.refusals.STATUS`."""
        self._errors.labels(trouble).inc()

    def answered(self, call: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(call, str(status)).inc()
        self._seconds.labels(call).observe(seconds)

    def text(self) -> bytes:
        """All of it, as `CONTENT_TYPE`."""
        return generate_latest(self._registry)


class Counted:
    """`app`, with its answers counted. `calls` gives paths their names; all others are "page"."""

    def __init__(self, app: ASGIApp, metrics: Metrics, calls: Mapping[str, str]) -> None:
        self._app = app
        self._metrics = metrics
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), 500  # until an answer begins

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            call = self._calls.get(scope["path"], "bundle" if scope["path"].startswith("/bundle/") else "page")
            self._metrics.answered(call, status, perf_counter() - began)
