"""What the paper prints about its models, to hold ours against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["PAPER", "SOURCE", "PaperFigures"]

SOURCE = "LiteMP-VTON, Information 2025, 16(5), 408"


@dataclass(frozen=True)
class PaperFigures:
    """`parameters` of all networks together, autoencoder and CLIP included; `flops` of one sampling step.

    Both are plain numbers. `flops` is None where the paper gives none.
    """

    parameters: float
    flops: float | None


PAPER: Mapping[str, PaperFigures] = MappingProxyType(
    {
        "mp-vton": PaperFigures(parameters=1027e6, flops=None),
        "teacher": PaperFigures(parameters=898e6, flops=548.34e9),
        "litemp-vton": PaperFigures(parameters=286e6, flops=238.24e9),
    }
)
"""By preset, from its tables of models and of costs."""
