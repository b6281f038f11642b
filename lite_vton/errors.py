"""The one error a user is meant to see."""

__all__ = ["UserError"]


class UserError(ValueError):
    """Something the user gave cannot be used: one line that says what is wrong and what to do about it.

    >>> from lite_vton import Bundle
    >>> Bundle.open("nowhere")
    Traceback (most recent call last):
    lite_vton.errors.UserError: nowhere does not exist: give the bundle that `lite-vton export` wrote
    """


class StoppedError(Exception):
    """The user interrupted work that can go on later; the message says how."""
