"""Listens at an address until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable

from starlette.types import ASGIApp

from lite_vton.errors import UserError

__all__ = ["listen"]

_GOODBYE = 2  # seconds that answers under way are given at the end


def listen(app: ASGIApp, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve `app`; `on_ready` is told the address once connections are taken. Returns after Ctrl-C or SIGTERM.

    `port` 0 is any free one. `UserError` for an address that cannot be had.
    """
    import uvicorn

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_GOODBYE
    )
    with _bound(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{listener.getsockname()[1]}")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            return  # uvicorn passes the signal on after it has closed everything


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot listen at {host}:{port} ({reason}): choose another with --port or --host") from error
    return listener
