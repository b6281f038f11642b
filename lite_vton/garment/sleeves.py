"""Sleeves in numbers: lengths and widths in units of the arm, in one table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.person.body import Build

Points = NDArray[np.float64]
SHORT_SLEEVE = 0.1  # share of the arm that the shortest sleeve covers
SHORTEST, ARM_UNITS = 14.0, 96.0  # a sleeve that covers a share s of the arm is 14 + 96 s units long
WORN, FLAT = (0.0, 0.5, 0.89, 0.9, 1.0), (0.0, 0.5, 0.62, 0.88, 1.0)
"""Shares of the arm, as worn and as measured flat: long sleeves are laid out in folds."""


def thickness(share: Points, build: Build) -> Points:
    """Pixels a unit of cloth at shares of the arm."""
    upper, lower = build.arm / 8.6, build.wrist / 5.2
    return np.asarray(np.interp(share, (0.0, 0.45, 1.0), (upper, upper, lower)))
