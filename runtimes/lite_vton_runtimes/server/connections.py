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

from lite_vton_runtimes.server.limits import Patience
from lite_vton_runtimes.server.refusals import RETRY_AFTER, STATUS, RefusedError

__all__ = ["Connection", "Connections", "Stage"]


_NEW = 0.5  # seconds


class Stage(Enum):
    """What a connection waits for. All but WORK are up to the client."""

    HEAD = "the head of a request"
    BODY = "the body of a request"
    WORK = "the server's answer"
    READ = "the client, to read its answer"


class Connections:
    """The open connections of one server, with `most` descriptors at most, each as slow as `patience` lets it be."""

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
        """Count `connection` in. Where there are too many, the least `worth` goes.

        Where work is done for each, the new one is refused.
        """
        if self._descriptors() >= self._most:
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
        while self._descriptors() > self._most and (least := self._least()):
            self._cut(least)

    def end(self) -> None:
        """Answer whoever is still sending that the server stops, and leave whoever does not read."""
        for connection in list(self._open):
            if connection.stage is Stage.BODY:
                connection.refuse(RefusedError("stopping", "the server is stopping: try again later"))
            elif connection.stage is not Stage.WORK:
                connection.cut()

    def _descriptors(self) -> int:
        return sum(2 if each.may_read_a_file else 1 for each in self._open)

    def _make_room(self, connection: Connection) -> None:
        least = self._least()
        if least is not None:
            self._cut(least)
        else:
            count = len(self._open)
            connection.refuse(RefusedError("busy", f"{count} requests are open already: try again later"))

    def _least(self) -> Connection | None:
        now = monotonic()
        waiting = [each for each in self._open if not each.is_worked_for]
        return min(waiting, key=lambda each: each.worth(now), default=None)

    def _cut(self, connection: Connection) -> None:
        connection.cut()
        self.closed(connection)  # asyncio tells of its end only after other new connections


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

    @property
    def is_worked_for(self) -> bool:
        """Whether it waits for a try-on or the like. What a GET asks for is soon asked for again."""
        return self.stage is Stage.WORK and self.cycle.scope["method"] == "POST"

    @property
    def may_read_a_file(self) -> bool:
        """Whether its answer may be a file's."""
        return self.stage in (Stage.WORK, Stage.READ) and not self.is_worked_for

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

    def worth(self, now: float) -> tuple[int, float]:
        """How much there is to lose, among connections that wait for their clients.

        Least where there is no request, then uploads, by what has come of them, then answers that are read. Last is
        what began just now, and had no time to show whether it gets anywhere.
        """
        stage = self.stage
        if now - self.since < _NEW:
            return 3, self.since
        if stage is Stage.BODY:
            return 1, self._received
        return 0 if stage is Stage.HEAD else 2, self.since

    def refuse(self, error: RefusedError) -> None:
        """Answer with `error` if no answer has begun, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            content = json.dumps({"error": str(error), "trouble": error.trouble}).encode()
            headers = [("content-type", "application/json"), ("content-length", str(len(content)))]
            if STATUS[error.trouble] == 503:
                headers.append(("retry-after", RETRY_AFTER))
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
