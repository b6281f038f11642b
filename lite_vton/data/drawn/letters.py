"""Lettering as strokes, so that it is the same on every machine whatever fonts it has."""

from __future__ import annotations

import numpy as np
import skia

__all__ = ["LETTERS", "lettering"]

# Corners on a grid 4 wide and 6 high; strokes are separated by spaces, a corner is two digits x, y.
_STROKES = {
    "A": "062046 1434", "B": "03003041423303 3344453606 0306", "C": "4130100105163645", "D": "000626444220 2000",
    "E": "40000646 0333", "F": "400006 0333", "G": "413010010516364543 4323", "H": "0006 4046 0343", "I": "2026",
    "J": "4045361605", "K": "0006 400346", "L": "000646", "M": "0600234046", "N": "06004640", "O": "103041453616050110",
    "P": "060030414233 3303", "R": "060030414233 3303 2346", "S": "4130100102133344453616 1605", "T": "0040 2026",
    "U": "000516364540", "V": "002640", "W": "0016233640", "X": "0046 4006", "Y": "002340 2326", "Z": "00400646",
}  # fmt: skip


def _corners(stroke: str) -> list[tuple[int, int]]:
    return [(int(stroke[i]), int(stroke[i + 1])) for i in range(0, len(stroke) - 1, 2)]


LETTERS: dict[str, list[list[tuple[int, int]]]] = {
    letter: [_corners(stroke) for stroke in strokes.split(" ")] for letter, strokes in _STROKES.items()
}
"""Strokes of each letter, as corners on a grid 4 wide and 6 high."""


def lettering(word: str, width: float, slant: float = 0.0) -> skia.Path:
    """`word` as strokes `width` wide, its middle at 0, 0."""
    path = skia.Path()
    advance = 5.6
    scale = width / (advance * len(word) - 1.6)
    for index, letter in enumerate(word):
        for stroke in LETTERS[letter]:
            corners = np.array(stroke, float)
            x = corners[:, 0] + advance * index - slant * corners[:, 1] - (advance * len(word) - 1.6) / 2
            y = corners[:, 1] - 3
            path.addPoly([skia.Point(a * scale, b * scale) for a, b in zip(x.tolist(), y.tolist(), strict=True)], False)
    return path
