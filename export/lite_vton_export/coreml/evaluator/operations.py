"""The table of every operation kind that is computed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lite_vton_export.coreml.evaluator.constexpr import CONSTEXPR
from lite_vton_export.coreml.evaluator.elementwise import ELEMENTWISE
from lite_vton_export.coreml.evaluator.normalisation import NORMALISATION
from lite_vton_export.coreml.evaluator.products import PRODUCTS
from lite_vton_export.coreml.evaluator.resampling import RESAMPLING
from lite_vton_export.coreml.evaluator.shapes import SHAPES
from lite_vton_export.coreml.evaluator.values import Operation

__all__ = ["OPERATIONS"]

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {**ELEMENTWISE, **SHAPES, **PRODUCTS, **NORMALISATION, **RESAMPLING, **CONSTEXPR}
)
