"""What became of one photo of a dataset that is converted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from lite_vton.errors import UserError

__all__ = ["DroppedError", "Outcome"]


class Outcome(BaseModel):
    """`name` of the photo in its own dataset.

    Converted: its `split`, `category` and `measures`, each a number with its name. Dropped: `reason`, the same words
    for every photo it is true of, and `detail`, what is wrong with this one; `split` is then empty.
    `sha256` of the photo's file, where a changed one is to be converted again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    split: str = ""
    category: str = ""
    measures: dict[str, float] = {}
    reason: str = ""
    detail: str = ""
    sha256: str = ""

    @property
    def picture(self) -> str:
        """The file name in VITON-HD's layout."""
        return f"{self.name}_00.jpg"


class DroppedError(UserError):
    """A photo cannot be used for `reason`; the message says what is wrong with this one."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
