"""What every recipe of the demo weights ends with: all networks painting together, and the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from lite_vton.model.networks import Networks, save_networks
from lite_vton.presets.config import ModelConfig
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.loop.stages import Clock, stage
from lite_vton_training.mix.kinds import Kinds
from lite_vton_training.trainers.painting import Painting, train_painting

__all__ = ["paint_together", "weight_names", "write_weights"]


def paint_together(
    networks: Sequence[Networks], kinds: Kinds, loop: LoopConfig, painting: Painting, folder: Path, clock: Clock
) -> None:
    """Teach `networks` and the first one's autoencoder, in place, by what they paint of `kinds`."""
    with stage("painting", loop, clock) as on_step:
        train_painting(networks, kinds, loop, folder / "painting", painting, resume=True, on_step=on_step)


def write_weights(made: Sequence[Networks], assets: Path) -> None:
    """In float16, each under the name it is shipped by; the first one's autoencoder is everybody's."""
    for networks in (replace(each, autoencoder=made[0].autoencoder) for each in made):
        first, second = weight_names(networks.config)
        save_networks(networks, assets / first, assets / second, torch.float16)


def weight_names(config: ModelConfig) -> tuple[str, str]:
    """Of the autoencoder's file and the U-Net's."""
    return config.shipped_weights or ("autoencoder.safetensors", f"{config.name}.safetensors")
