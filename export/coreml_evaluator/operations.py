"""The table of every operation kind that is computed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from export.coreml_evaluator.constexpr import CONSTEXPR
from export.coreml_evaluator.elementwise import ELEMENTWISE
from export.coreml_evaluator.normalisation import NORMALISATION
from export.coreml_evaluator.products import PRODUCTS
from export.coreml_evaluator.resampling import RESAMPLING
from export.coreml_evaluator.shapes import SHAPES
from export.coreml_evaluator.values import Operation

__all__ = ["OPERATIONS"]

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {**ELEMENTWISE, **SHAPES, **PRODUCTS, **NORMALISATION, **RESAMPLING, **CONSTEXPR}
)
