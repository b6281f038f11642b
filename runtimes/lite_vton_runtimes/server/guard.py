"""Around every answer: who may ask, and what a browser may do with the page."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lite_vton_runtimes.server.refusals import STATUS

__all__ = ["HEADERS", "Guard", "is_known_host"]

_CONTENT = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self' blob:",  # ONNX Runtime's threads
        "connect-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": _CONTENT,
    # With these two a browser lends WebAssembly its threads.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""Of every answer: nothing from elsewhere is loaded, and nobody else's page shows or reads this one."""


def is_known_host(host: str, names: Collection[str]) -> bool:
    """Whether a Host header is one of `names` or an IP address, with or without a port.

    A name that somebody else's DNS can point at this machine is neither (DNS rebinding).
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    bare = name.removeprefix("[").removesuffix("]").lower()
    if bare in names:
        return True
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        return False
    return True


class Guard:
    """`app`, for requests to known hosts that come from its own page, from one of `origins` or from no page at all."""

    def __init__(self, app: ASGIApp, names: Collection[str], origins: Collection[str] = ()) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names) | {"localhost"}
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    given[name] = value
                given.setdefault("cache-control", "no-store" if scope["path"].startswith("/api/") else "no-cache")
            await send(message)

        line = self._refused(headers)
        if line is None:
            await self._app(scope, receive, with_headers)
            return
        body = json.dumps({"error": line, "trouble": "stranger"}).encode()
        start = {"type": "http.response.start", "status": STATUS["stranger"]}
        await with_headers({**start, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})

    def _refused(self, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if not is_known_host(host, self._names):
            return "this server goes by another name: use the address that lite-vton serve printed"
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins and origin.partition("://")[2] != host:
            return "another site's page asks: open this server's own page"
        return None
