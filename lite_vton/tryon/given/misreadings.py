"""How keypoints of a photo may have been written down for another: what undoes it tells which it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lite_vton.person.keypoints import Keypoints

__all__ = ["Misreading", "misreadings"]


@dataclass(frozen=True)
class Misreading:
    """`looks` and `advice` say to the user what was wrong with keypoints, and `undone` gives pixels of the photo.

    Those are x and y by the `matrix` (rows: what makes the new x and the new y), and so many times the photo's width
    and height as `plus` says.
    """

    looks: str
    advice: str
    matrix: tuple[tuple[float, float], tuple[float, float]]
    plus: tuple[float, float] = (0, 0)

    def undone(self, keypoints: Keypoints, height: int, width: int) -> Keypoints:
        """`keypoints` as they should have been given for a photo of this size."""
        points = keypoints.points @ np.array(self.matrix).T + np.array(self.plus) * np.array([width, height])
        return Keypoints(points.astype(np.float32), keypoints.confidence)


_AS_SHOWN = "find them in the photo as it is shown, turned upright by its EXIF orientation"

_TURNED = (
    Misreading("have x and y swapped", "write x first, then y", ((0, 1), (1, 0))),
    Misreading("count y from the photo's bottom", "count it from the top", ((1, 0), (0, -1)), (0, 1)),
    Misreading("are mirrored", _AS_SHOWN, ((-1, 0), (0, 1)), (1, 0)),
    Misreading("are upside down", _AS_SHOWN, ((-1, 0), (0, -1)), (1, 1)),
    Misreading("are turned by 90 degrees", _AS_SHOWN, ((0, -1), (1, 0)), (1, 0)),
    Misreading("are turned by 90 degrees", _AS_SHOWN, ((0, 1), (-1, 0)), (0, 1)),
)

# Common ratios of two sizes at which one photo is kept.
_SCALES = (2.0, 4.0, 0.5, 0.25, 1.5, 4 / 3, 3.0, 2 / 3, 0.75, 8 / 3, 1 / 3, 0.375, 6.0, 8.0, 0.8, 1.25, 0.6, 5 / 3)


def misreadings(scales: tuple[float, ...] = ()) -> Iterator[Misreading]:
    """All of them, those of a picture of another size last; `scales` are ratios to be tried before the common ones."""
    yield from _TURNED
    for scale in (*scales, *_SCALES):
        if scale > 0:
            ratio = f"{scale:.2g} times as large" if scale >= 1 else f"{1 / scale:.2g} times smaller"
            looks = f"are those of a picture about {ratio}"
            yield Misreading(looks, "scale them, or find them in this very photo", ((1 / scale, 0), (0, 1 / scale)))
