"""Connections that are closed when their client gets nowhere, and never more of them than there are descriptors for.

uvicorn 0.54 has no time limit for a request's head or body and none for the reading of an answer
(https://github.com/Kludex/uvicorn/issues/157). Its protocol is extended here where asyncio calls it.
"""

from __future__ import annotations

import json
from enum import Enum
from time import monotonic
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from runtimes.server.limits import Patience
from runtimes.server.refusals import STATUS, RefusedError

__all__ = ["Connection", "Connections", "Stage"]


class Stage(Enum):
    """What a connection waits for. All but WORK are up to the client."""

    HEAD = "the head of a request"
    BODY = "the body of a request"
    WORK = "the server's answer"
    READ = "the client, to read its answer"


class Connections:
    """The open connections of one server: at most `most`, each as slow as `patience` lets it be."""

    def __init__(self, patience: Patience, most: int) -> None:
        self.patience = patience
        self._most = most
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def protocol(self, **given: Any) -> Connection:
        """A new connection's protocol, with uvicorn's arguments."""
        return Connection(self, **given)

    def opened(self, connection: Connection) -> None:
        """Count `connection` in. Where there are too many, the one that waits longest for its client goes.

        Connections without a request go first. Where each is being worked on, the new one is refused.
        """
        if len(self._open) >= self._most:
            self._make_room(connection)
        if not connection.transport.is_closing():
            self._open.add(connection)

    def closed(self, connection: Connection) -> None:
        """Count `connection` out."""
        self._open.discard(connection)

    def look(self) -> None:
        """Close those that get nowhere. To be called a few times a second."""
        now = monotonic()
        for connection in list(self._open):
            connection.look(now)

    def end(self) -> None:
        """Answer whoever is still sending that the server stops, and leave whoever does not read."""
        for connection in list(self._open):
            if connection.stage is Stage.BODY:
                connection.refuse(RefusedError("stopping", "the server is stopping: try again later"))
            elif connection.stage is not Stage.WORK:
                connection.cut()

    def _make_room(self, connection: Connection) -> None:
        self.look()
        waiting = [each for each in self._open if each.stage is not Stage.WORK]
        if waiting:
            longest = min(waiting, key=lambda each: (each.stage is not Stage.HEAD, each.since))
            longest.cut()
        else:
            connection.refuse(RefusedError("busy", f"{self._most} requests are open already: try again later"))


class Connection(H11Protocol):
    """One connection, HTTP/1.1."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self.since = monotonic()
        """When the present stage, or its present window, began."""
        self._connections = connections
        self._received = 0
        self._seen: tuple[Stage, object] = (Stage.HEAD, None)
        self._moved = 0

    @property
    def stage(self) -> Stage:
        """What it waits for now."""
        if self.transport.get_write_buffer_size():
            return Stage.READ
        if self.cycle is None or self.cycle.response_complete:
            return Stage.HEAD
        return Stage.BODY if self.cycle.more_body and not self.flow.read_paused else Stage.WORK

    def connection_made(self, transport: Any) -> None:
        """asyncio: the client has connected."""
        super().connection_made(transport)
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self._connections.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """asyncio: the client has sent something."""
        self._received += len(data)
        if not self.transport.is_closing():
            super().data_received(data)

    def pause_writing(self) -> None:
        """asyncio: much waits for the client to read it."""
        self._start_window(monotonic(), -self.transport.get_write_buffer_size())
        super().pause_writing()

    def look(self, now: float) -> None:
        """Close the connection if its client gets nowhere."""
        patience = self._connections.patience
        stage = self.stage
        moved = self._received if stage is Stage.BODY else -self.transport.get_write_buffer_size()
        if self._seen != (stage, self.cycle):
            self._seen = stage, self.cycle
            self._start_window(now, moved)
        elif stage is Stage.HEAD:
            if now - self.since > patience.head_seconds:
                self._refuse_head()
        elif stage is not Stage.WORK and now - self.since > patience.window_seconds:
            if moved - self._moved < patience.window_bytes:
                self._give_up(stage)
            self._start_window(now, moved)

    def refuse(self, error: RefusedError) -> None:
        """Answer with `error` if no answer has begun, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            content = json.dumps({"error": str(error), "trouble": error.trouble}).encode()
            headers = [("content-type", "application/json"), ("content-length", str(len(content)))]
            answer = h11.Response(status_code=STATUS[error.trouble], headers=[*headers, ("connection", "close")])
            for event in (answer, h11.Data(content), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def cut(self) -> None:
        """Close at once, whatever has not been read."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """uvicorn: what was sent is no HTTP."""
        self.refuse(RefusedError("form", f"{msg.rstrip('.').lower()}: look at its head"))

    def _start_window(self, now: float, moved: int) -> None:
        self.since, self._moved = now, moved

    def _refuse_head(self) -> None:
        if self.conn.trailing_data[0]:
            seconds = self._connections.patience.head_seconds
            self.refuse(RefusedError("slow", f"the request's head took more than {seconds:g} s: send it at once"))
        else:
            self.cut()

    def _give_up(self, stage: Stage) -> None:
        if stage is Stage.BODY:
            rate = self._connections.patience.bytes_per_second
            self.refuse(RefusedError("slow", f"the upload is slower than {rate:g} bytes a second: send it again"))
        else:
            self.cut()
