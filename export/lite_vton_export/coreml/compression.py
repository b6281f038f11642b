"""Smaller weights for a Core ML package, by coremltools' optimisers: palettes of 8, 6 or 4 bits, and linear int8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lite_vton_export.coreml.palette_entries import entries

if TYPE_CHECKING:
    from coremltools.models import MLModel
    from coremltools.optimize.coreml import OpPalettizerConfig

__all__ = ["COMPRESSED", "compressed"]

_PALETTE_BITS: Mapping[str, int] = MappingProxyType({"p8": 8, "p6": 6, "p4": 4})
COMPRESSED = (*_PALETTE_BITS, "w8")
"""Precisions that are made from the fp16 package; what is computed stays as it is there."""

_SMALLEST = 2048
"""Weights of fewer numbers stay as they are: norms, biases and the table of the timesteps among them, whose error would
reach every value, and which are nothing beside the rest."""

_FINE = 8
_FINE_SHARE = 0.05
"""In p6 and p4 the smallest weights, up to this share of all, have palettes of 8 bits. A palette adds about the same
noise to whatever a layer gives, so the fewest bytes are spent where the layer is small; and the small ones are those
that nothing goes around: first and last layers, shortcuts. In Stable Diffusion's encoder (random weights, a quarter of
the picture, each weight the nearest number) the first layer, a ten-thousandth of the weights, makes a quarter of p6's
noise; these together more than half, for 1.4 % more bytes."""


def compressed(model: MLModel, precision: str) -> MLModel:
    """A copy of an fp16 package with the weights of its products in `precision`, one of `COMPRESSED`.

    "p6" and "p4" are that but for the smallest weights, which get 8 bits.

    Palettes are found by k-means, one a weight: a network's weights are bell-shaped, and evenly spaced entries would
    spend most of theirs on the tails. Which entry each number gets is for `lite_vton_export.coreml.palette_entries` to
    say. coremltools 9.0 has the exact one-dimensional kind for 10,000 numbers or more, on at most 65,536 distinct
    float16 values, so that 200 M weights take one process minutes. A palette for each 8 or 16 channels, which iOS 18
    could read, gains 0.0 to 0.4 dB at 4 bits on the demo student's weights, and loses them again where a group is below
    10,000 numbers and gets the approximate k-means.
    """
    from coremltools.optimize.coreml import (
        OpLinearQuantizerConfig,
        OptimizationConfig,
        linear_quantize_weights,
        palettize_weights,
    )

    if precision == "w8":
        # Symmetric, a scale an output channel: no offset to subtract, and one loud channel does not coarsen the others.
        linear = OpLinearQuantizerConfig(
            mode="linear_symmetric", dtype="int8", granularity="per_channel", weight_threshold=_SMALLEST
        )
        return linear_quantize_weights(model, OptimizationConfig(global_config=linear))
    bits = _PALETTE_BITS[precision]
    config = OptimizationConfig(global_config=_palette(bits))
    for name in _smallest(model) if bits < _FINE else ():
        config.set_op_name(name, _palette(_FINE))
    return palettize_weights(model, config)


def _palette(bits: int) -> OpPalettizerConfig:
    from coremltools.optimize.coreml import OpPalettizerConfig

    return OpPalettizerConfig(
        mode="custom",
        lut_function=lambda weight: _in_palette(weight, bits),
        granularity="per_tensor",
        weight_threshold=_SMALLEST,
    )


def _in_palette(weight: NDArray[np.floating[Any]], bits: int) -> tuple[NDArray[np.floating[Any]], NDArray[np.uint8]]:
    """A palette of 2^bits numbers, ascending, and the index in it of each number of a weight."""
    # What mode="kmeans" calls; it alone would give each number the nearest entry.
    from coremltools.models.neural_network.quantization_utils import _get_kmeans_lookup_table_and_weight

    found, _ = _get_kmeans_lookup_table_and_weight(bits, weight)
    palette = np.sort(np.ravel(found).astype(weight.dtype))
    return palette, entries(weight, palette)


def _smallest(model: MLModel) -> Iterator[str]:
    """Names of the weights that get more bits."""
    from coremltools.optimize.coreml import get_weights_metadata

    sizes = {name: weight.val.size for name, weight in get_weights_metadata(model, weight_threshold=_SMALLEST).items()}
    left = _FINE_SHARE * sum(sizes.values())
    for name in sorted(sizes, key=lambda name: sizes[name]):
        left -= sizes[name]
        if left < 0:
            return
        yield name
