"""FID's Inception as clean-fid and StyleGAN keep it, TensorFlow's names in a TorchScript program, by ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

__all__ = ["by_our_names"]

_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
"""What `conv`, `conv_1` and so on are called here."""

_MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
"""What `mixed`, `mixed_1` and so on are called here."""

_BRANCHES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "5bcd": {
            "conv": ("branch1x1",),
            "tower_conv": ("branch5x5_1", "branch5x5_2"),
            "tower_1_conv": ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
            "tower_2_conv": ("branch_pool",),
        },
        "6a": {
            "conv": ("branch3x3",),
            "tower_conv": ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
        },
        "6bcde": {
            "conv": ("branch1x1",),
            "tower_conv": ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
            "tower_1_conv": tuple(f"branch7x7dbl_{number}" for number in range(1, 6)),
            "tower_2_conv": ("branch_pool",),
        },
        "7a": {
            "tower_conv": ("branch3x3_1", "branch3x3_2"),
            "tower_1_conv": tuple(f"branch7x7x3_{number}" for number in range(1, 5)),
        },
        "7bc": {
            "conv": ("branch1x1",),
            "tower_conv": ("branch3x3_1",),
            "tower_mixed_conv": ("branch3x3_2a", "branch3x3_2b"),
            "tower_1_conv": ("branch3x3dbl_1", "branch3x3dbl_2"),
            "tower_1_mixed_conv": ("branch3x3dbl_3a", "branch3x3dbl_3b"),
            "tower_2_conv": ("branch_pool",),
        },
    }
)
"""By blocks, what each series of their convolutions (`tower.conv`, `tower.conv_1`) is called here, in its order."""

_PARTS = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}
"""What the tensors of a convolution and its normalisation, which has no scale, are called here."""


def by_our_names(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """These weights by the names of torch-fidelity's file; those that have such names already are left as they are."""
    if "layers.conv.weight" not in weights:
        return weights
    units = dict(_units())
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        place, _, part = name.removeprefix("layers.").rpartition(".")
        head, _, rest = place.partition(".")
        unit = units.get(f"{head}.{rest.replace('.', '_')}" if rest else head)
        if unit is not None and part in _PARTS:
            found[f"{unit}.{_PARTS[part]}"] = tensor
            if part == "beta":
                found[f"{unit}.bn.weight"] = torch.ones_like(tensor)
    if "output.weight" in weights:
        found["fc.weight"] = weights["output.weight"]
    return found


def _units() -> list[tuple[str, str]]:
    """Each convolution's name, theirs and ours."""
    units = [(_numbered("conv", number), name) for number, name in enumerate(_STEM)]
    for number, block in enumerate(_MIXED):
        branches = next(rows for blocks, rows in _BRANCHES.items() if blocks[0] == block[0] and block[1] in blocks[1:])
        for series, names in branches.items():
            for k, name in enumerate(names):
                units.append((f"{_numbered('mixed', number)}.{_numbered(series, k)}", f"Mixed_{block}.{name}"))
    return units


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name
