"""Which of several quantisations of one network to keep: the first, and fastest, that comes close enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lite_vton_export.parity.closeness import closeness
from lite_vton_export.parity.gates import gate

__all__ = ["Answering", "closest", "judged"]

T = TypeVar("T")

Answering = Callable[[Mapping[str, NDArray[Any]]], Sequence[NDArray[np.float32]]]
"""A network as a function from its inputs by name to its outputs."""

_MARGIN_DB = 2.0
"""What has to be left over on the calibration set, since the golden trajectory is somebody else's."""
_JUDGED = 24
"""How many calls are compared, spread evenly over the set."""


def closest(candidates: Iterable[T], network: Callable[[T], Answering], judge: Callable[[Answering], float]) -> T:
    """The first candidate that clears int8's gate with 2 dB to spare, or else the one that comes nearest to it.

    Candidates are made one by one, so that none is quantised in vain. `judge` is what `judged` gives.
    """
    best: tuple[float, T] | None = None
    for candidate in candidates:
        score = judge(network(candidate))
        if best is None or score > best[0]:
            best = (score, candidate)
        if score >= _MARGIN_DB:
            break
    if best is None:
        raise ValueError("no candidate")
    return best[1]


def judged(reference: Answering, feeds: Sequence[Mapping[str, NDArray[Any]]]) -> Callable[[Answering], float]:
    """A function that says by how many dB a network clears int8's gate at its worst call, PSNR's or the cosine's.

    A cosine's distance from 1 is half of noise over signal, so that it too can be told in dB.
    """
    chosen = np.unique(np.linspace(0, len(feeds) - 1, _JUDGED).round().astype(int))
    calls = [(feeds[index], [np.array(out) for out in reference(feeds[index])]) for index in chosen]
    limits = gate("int8")

    def judge(network: Answering) -> float:
        worst = float("inf")
        for given, expected in calls:
            for found, wanted in zip(network(given), expected, strict=True):
                figures = closeness(found, wanted)
                if figures.nonfinite:
                    return float("-inf")
                cosine_db = 10 * np.log10((1 - limits.cosine) / max(1 - figures.cosine, 1e-16))
                worst = min(worst, figures.psnr_db - limits.psnr_db, float(cosine_db))
        return worst

    return judge
