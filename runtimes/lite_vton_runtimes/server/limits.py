"""How much a server takes on, and how long it waits for a client."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits", "Patience"]


@dataclass(frozen=True)
class Limits:
    """How much one server takes on.

    - `upload_bytes`: of one request's body
    - `places`: requests that wait or are worked on
    - `seconds`: for the upload, and as many for waiting and work

    The forms of all requests together hold `places * upload_bytes` of memory at most.
    """

    upload_bytes: int = 32_000_000
    places: int = 8
    seconds: float = 120.0


@dataclass(frozen=True)
class Patience:
    """How long a connection may stay open without getting anywhere.

    - `head_seconds`: until a request's head is complete, from the connection's begin or the last answer
    - `window_seconds`, `bytes_per_second`: an upload or an answer that moves more slowly than this, averaged over one
      window, is cut off
    - `finish_seconds`: for requests that are under way when the server is told to stop
    """

    head_seconds: float = 10.0
    window_seconds: float = 5.0
    bytes_per_second: float = 1000.0
    finish_seconds: float = 5.0

    @property
    def window_bytes(self) -> float:
        """What has to move within one window."""
        return self.window_seconds * self.bytes_per_second
