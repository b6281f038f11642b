"""Why a photo of Clothing Co-Parsing is left out."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason"]


class Reason(StrEnum):
    """The same words for every photo a reason is true of."""

    LEFT_OUT = "left out as asked"
    NO_PARSE = "no pixel-level parse"
    NO_PHOTO = "no photo"
    BROKEN_PARSE = "the parse cannot be read"
    BROKEN_PHOTO = "the photo cannot be read"
    SIZES = "the parse has another size than the photo"
    UNKNOWN_LABEL = "the parse has labels without a name"
    NO_GARMENT = "no upper garment and no dress in the parse"
    NOBODY = "nobody is found in the photo"
    SOMEBODY_ELSE = "the parse is of nobody who is found in the photo"
    NO_TORSO = "the torso is not visible"
    NOT_LAID_FLAT = "the garment cannot be laid flat"
    HIDDEN = "most of the garment is hidden"
    DOES_NOT_FIT = "the garment laid flat does not fit its wearer"
    NOT_REPAINTED = "the mask leaves the torso out"
