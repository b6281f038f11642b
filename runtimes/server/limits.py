"""How much a server takes on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """`upload_bytes` of a request's body; `places` for requests that wait or are worked on; `seconds` for each.

    A place is taken before the body is read, so uploads take `places * upload_bytes` of memory at most.
    """

    upload_bytes: int = 32_000_000
    places: int = 8
    seconds: float = 120.0
