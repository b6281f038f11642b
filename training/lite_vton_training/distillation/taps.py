"""What a U-Net computes at the end of each level, caught by forward hooks while somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from lite_vton.errors import UserError

__all__ = ["Features", "matching_taps", "tap_widths", "tapped"]

Features = dict[str, torch.Tensor]
"""By tap: `down0`, the end of the first level on the way down, to `up0`, the end of the last on the way up; level i has
the latent's size / 2^i. Each (N, C, h, w)."""


def tap_widths(unet: UNet2DConditionModel) -> dict[str, int]:
    """The taps of a U-Net, in the order of computation, and the channels there."""
    channels: tuple[int, ...] = tuple(unet.config.block_out_channels)
    down = {f"down{i}": width for i, width in enumerate(channels)}
    return down | {f"up{i}": channels[i] for i in reversed(range(len(channels)))}


def matching_taps(student: UNet2DConditionModel, teacher: UNet2DConditionModel, only: Iterable[str] = ()) -> list[str]:
    """Taps that both have, or `only` those; blocks and widths may differ, the number of levels may not.

    Raises `UserError` for another number of levels, or a tap that is not there.
    """
    taps = list(tap_widths(student))
    if taps != list(tap_widths(teacher)):
        raise UserError("student and teacher have different numbers of levels: distil with 'none' or 'output'")
    unknown = set(only) - set(taps)
    if unknown:
        raise UserError(f"there is no tap {sorted(unknown)[0]!r}: choose among {', '.join(taps)}")
    return [tap for tap in taps if tap in set(only)] if only else taps


@contextmanager
def tapped(unet: UNet2DConditionModel, taps: Iterable[str]) -> Iterator[Features]:
    """Fills what it yields each time `unet` runs; hooks exist only inside, so a U-Net that nobody taps pays nothing."""
    features: Features = {}
    handles = [_end(unet, tap).register_forward_hook(partial(_catch, features, tap)) for tap in taps]
    try:
        yield features
    finally:
        for handle in handles:
            handle.remove()


def _catch(features: Features, tap: str, _module: nn.Module, _inputs: object, output: object) -> None:
    # A transformer returns a tuple of one, a ResNet block the tensor.
    found = output[0] if isinstance(output, tuple) else output
    assert isinstance(found, torch.Tensor)
    features[tap] = found


def _end(unet: UNet2DConditionModel, tap: str) -> nn.Module:
    """The last module of a level before its size changes."""
    way, level = tap[:-1], int(tap[-1])
    block = unet.down_blocks[level] if way == "down" else unet.up_blocks[len(unet.up_blocks) - 1 - level]
    last: nn.Module = (getattr(block, "attentions", None) or block.resnets)[-1]
    return last
