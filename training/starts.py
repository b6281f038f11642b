"""What a student begins with: random weights, or those of its teacher that fit into it."""

from __future__ import annotations

from typing import Literal

import torch
from diffusers import UNet2DConditionModel

from lite_vton.model.denoiser import Denoiser
from lite_vton.model.unet import build_unet
from lite_vton.presets import ModelConfig
from training.slimming import slim

__all__ = ["Start", "starting_unet"]

Start = Literal["random", "slimmed"]


def starting_unet(
    start: Start, config: ModelConfig, teacher: Denoiser | None, seed: int
) -> UNet2DConditionModel | None:
    """The U-Net `training.denoiser.train_denoiser` goes on from; None leaves the random weights to it.

    `slimmed` takes a teacher. What slimming has no weight for is drawn with `seed`.
    """
    if start == "random":
        return None
    assert teacher is not None
    assert isinstance(teacher.unet, UNet2DConditionModel)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = build_unet(config)
    slim(teacher.unet, student)
    return student
