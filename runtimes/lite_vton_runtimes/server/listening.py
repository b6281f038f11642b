"""Listens at an address until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from lite_vton.errors import UserError
from lite_vton_runtimes.server.connections import Connections
from lite_vton_runtimes.server.heap import share_one_heap
from lite_vton_runtimes.server.limits import Patience

__all__ = ["Work", "listen"]

_BACKLOG = 64  # connections that are taken at once, before any is looked at
_LOOK = 0.2  # seconds between two looks at the connections
_GOODBYE = 2.0  # seconds for the last answers to be sent
_MOST_CONNECTIONS = 1000
_DESCRIPTORS_FOR_WORK = 32  # files that a backend, the page or a photo may open beside
_FEWEST_CONNECTIONS = 8


class Work(Protocol):
    """What goes on behind the server, as it has to know of it when it stops."""

    def stop_taking(self) -> None:
        """Refuse what is new."""
        ...

    def stop(self) -> None:
        """Refuse what is not finished."""
        ...


def listen(
    app: ASGIApp,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    work: Work | None = None,
    patience: Patience | None = None,
) -> None:
    """Serve `app`; `on_ready` is told the address once connections are taken. Returns after Ctrl-C or SIGTERM.

    Then nothing new is taken, requests under way have `patience.finish_seconds`, and `work` is told both.
    `port` 0 is any free one. `UserError` for an address that cannot be had, and for too few file descriptors.
    """
    patience = patience or Patience()
    share_one_heap()
    with _bound(host, port) as listener:
        connections = Connections(patience, _most_connections())
        config = uvicorn.Config(
            app,
            http=connections.protocol,  # type: ignore[arg-type]
            ws="none",
            backlog=_BACKLOG,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(patience.finish_seconds + _GOODBYE),
        )
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        try:
            _Server(config, connections, work, lambda: on_ready(address)).run(sockets=[listener])
        except KeyboardInterrupt:
            return  # uvicorn passes the signal on after it has closed everything


class _Server(uvicorn.Server):
    """uvicorn's, which looks at its connections."""

    def __init__(
        self, config: uvicorn.Config, connections: Connections, work: Work | None, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._connections = connections
        self._work = work
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._looking = asyncio.create_task(self._look())
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._work is not None:
            self._work.stop_taking()
        end = asyncio.get_running_loop().call_later(self._connections.patience.finish_seconds, self._end)
        await super().shutdown(sockets)
        end.cancel()
        self._looking.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            self._connections.look()

    def _end(self) -> None:
        if self._work is not None:
            self._work.stop()
        self._connections.end()


def _most_connections() -> int:
    """As many as there are descriptors for."""
    try:
        import resource
    except ImportError:  # Windows, where sockets are no files
        return _MOST_CONNECTIONS
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    folder = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
    free = allowed - len(list(folder.iterdir())) - _BACKLOG - _DESCRIPTORS_FOR_WORK
    if free < 2 * _FEWEST_CONNECTIONS:
        needed = allowed - free + 2 * _FEWEST_CONNECTIONS
        raise UserError(f"{allowed} files may be open here, too few for a server: ulimit -n {max(1024, needed)}")
    return min(_MOST_CONNECTIONS, free)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot listen at {host}:{port} ({reason}): choose another with --port or --host") from error
    return listener
