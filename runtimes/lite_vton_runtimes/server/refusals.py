"""What a request is refused with: one line for people, and a word for programs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lite_vton.errors import UserError
from lite_vton.photo.files import NotAPhotoError, TooLargeError

__all__ = ["RETRY_AFTER", "STATUS", "RefusedError", "refusal"]

STATUS: Mapping[str, int] = MappingProxyType(
    {
        "form": 400,
        "options": 400,
        "stranger": 403,
        "gone": 404,
        "method": 405,
        "slow": 408,
        "too-large": 413,
        "not-a-photo": 415,
        "photo": 422,
        "cancelled": 499,  # nginx's, for a client that has gone; nobody reads it
        "internal": 500,
        "busy": 503,
        "stopping": 503,
        "out-of-time": 504,
    }
)
"""Every `trouble` the server answers, and its HTTP status."""

RETRY_AFTER = "2"
"""Seconds, the header of that name of each 503."""


class RefusedError(Exception):
    """A request that is not served. `trouble` is one of `STATUS`; the message says what is wrong and what to do."""

    def __init__(self, trouble: str, line: str) -> None:
        super().__init__(line)
        self.trouble = trouble


def refusal(error: UserError) -> RefusedError:
    """What a `UserError` met while a photo was worked on means for the request."""
    if isinstance(error, TooLargeError):
        return RefusedError("too-large", str(error))
    return RefusedError("not-a-photo" if isinstance(error, NotAPhotoError) else "photo", str(error))
