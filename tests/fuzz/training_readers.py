"""Readers of run folders at resume."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz.reader import AcceptedError, Reader

if TYPE_CHECKING:
    import torch

__all__ = ["ROWS"]


def _trained(folder: Path, resume: bool) -> dict[str, torch.Tensor]:
    import torch

    from lite_vton.presets.table import preset
    from lite_vton_training.dataset.latents import LatentPairs
    from lite_vton_training.loop.fit import LoopConfig
    from lite_vton_training.trainers.denoiser import train_denoiser

    tiny, generator = preset("tiny"), torch.Generator().manual_seed(0)
    n, c, h, w = (4, *tiny.latent_shape[1:])
    x_0, pose = (torch.randn((n, c, h, w), generator=generator) for _ in range(2))
    mask = (torch.rand((n, 1, h, w), generator=generator) > 0.5).float()
    pairs = LatentPairs(x_0, mask, x_0 * (1 - mask) + 0.3 * mask, pose)
    loop = LoopConfig(steps=2, batch_size=2, learning_rate=1e-3, warmup_steps=1, ema_decay=0.9, checkpoint_every=2)
    torch.manual_seed(0)
    return dict(train_denoiser(tiny, pairs, loop, folder, resume=resume).state_dict())


def _run(folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(_trained(folder / "run", resume=False), folder / "trained.safetensors")


def _resume(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    wanted, found = load_file(folder / "trained.safetensors"), _trained(folder / "run", resume=True)
    changed = [name for name in wanted if not torch.equal(found[name], wanted[name])]
    if changed:
        raise AcceptedError(f"{changed[0]} is not what was trained")


ROWS = (Reader("run-folder", _run, _resume, damaged="run/**/*", writes=True, needs=("accelerate",), share=0.03),)
