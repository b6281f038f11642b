"""Pictures with an alpha channel: as they look on white, and the other way round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_white", "over_white"]

_STRIP = 64  # rows at a time, so that a large picture needs little memory


def over_white(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """colours (H, W, 3), not multiplied with alpha (H, W), as they look on white, (H, W, 3)."""
    seen = np.empty_like(colours)
    for top in range(0, len(colours), _STRIP):
        rows = slice(top, top + _STRIP)
        if alpha[rows].min() == 255:
            seen[rows] = colours[rows]
            continue
        # At most 255 * 255 + 127, which 16 bits hold.
        clear = (255 - colours[rows]).astype(np.uint16)
        clear *= alpha[rows, :, None]
        np.subtract(255 * 255 + 127, clear, out=clear)
        seen[rows] = clear // 255
    return seen


def from_white(
    seen: NDArray[np.uint8], alpha: NDArray[np.uint8], beneath: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The colours (H, W, 3) that look like `seen` (H, W, 3) on white at this alpha (H, W).

    Where alpha is 0 nothing is seen: there they are those of `beneath` (H, W, 3), or white.
    """
    share = alpha[..., None].astype(np.float32) / 255
    colours = 255 - (255 - seen.astype(np.float32)) / np.maximum(share, 1 / 255)
    rest = np.uint8(255) if beneath is None else beneath
    return np.where(share > 0, np.clip(np.rint(colours), 0, 255), rest).astype(np.uint8)
