"""What every recipe of the demo weights ends with: the decoder fitted to the student's samples, and the files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import Networks, save_networks
from training.decoder import tune_decoder
from training.latents import LatentPairs
from training.loop import LoopConfig
from training.mix.kinds import Kinds, some_of_each
from training.stages import Clock, stage

__all__ = ["finish_decoder", "write_weights"]


def finish_decoder(
    student: Networks, kinds: Kinds, pairs: LatentPairs, count: int, loop: LoopConfig, folder: Path, clock: Clock
) -> None:
    """Tune the autoencoder of `student` in place on its samples for `count` of `pairs`, which are those of `kinds`."""
    assert isinstance(student.autoencoder, TinyAutoencoder)
    some, rows = some_of_each(kinds, count)
    with stage("decoder", loop, clock) as on_step:
        tune_decoder(
            student.config,
            student.autoencoder,
            student.latent_scale,
            Denoiser(student.config, student.unet),
            some,
            pairs.batch(torch.tensor(rows)),
            loop,
            folder / "decoder",
            resume=True,
            on_step=on_step,
        )


def write_weights(made: Iterable[Networks], assets: Path) -> None:
    """In float16, each under the name it is shipped by; all share one autoencoder."""
    for networks in made:
        shipped = networks.config.shipped_weights
        first, second = shipped or ("autoencoder.safetensors", f"{networks.config.name}.safetensors")
        save_networks(networks, assets / first, assets / second, torch.float16)
