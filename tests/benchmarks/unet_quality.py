"""The quality of a choice of U-Net, at the demo's size: distilled for a short while, judged on the 64 held-out pairs.

All students start from random weights, learn from the shipped teacher's output, and see the same samples in the same
order (`lite_vton_training.reproduce.rows`), so that they are compared seed by seed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import shipped_networks
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset
from lite_vton_training.dataset.drawn import drawn_pictures, held_out_pictures
from lite_vton_training.dataset.latents import encode_pairs, kept_pairs
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.metrics import Backbones
from lite_vton_training.metrics.held_out import HeldOut, figures, paint, psnr_to_teacher
from lite_vton_training.reproduce.rows import BUDGETS, Budget
from lite_vton_training.trainers.denoiser import train_denoiser

__all__ = ["BUDGET", "distilled"]

BUDGET = BUDGETS["small"]


def distilled(
    name: str, changes: Mapping[str, Any], seed: int, folder: Path, budget: Budget = BUDGET, *, bf16: bool = True
) -> dict[str, float]:
    """Train the budget's student with `changes` to its U-Net, and judge it; kept in `folder/name/seed/quality.json`.

    `psnr_in_mask` in dB, `ssim` of the whole picture, `psnr_to_teacher` in dB, `parameters`, and `minutes` it took.
    """
    file = folder / name / str(seed) / "quality.json"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        found = _train(_changed(preset(budget.student), changes), seed, folder, file.parent, budget, bf16=bf16)
        file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    read: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return read


def _changed(config: ModelConfig, changes: Mapping[str, Any]) -> ModelConfig:
    return replace(config, unet=replace(config.unet, **changes), shipped_weights=None)


def _train(config: ModelConfig, seed: int, data: Path, folder: Path, budget: Budget, *, bf16: bool) -> dict[str, float]:
    taught = shipped_networks(preset(budget.teacher))
    teacher = Denoiser(taught.config, taught.unet)

    def encoded() -> Any:
        pictures = drawn_pictures(data, budget.pairs, budget.data_seed, config)
        return encode_pairs(pictures, taught.autoencoder, taught.latent_scale)

    loop = LoopConfig(
        steps=budget.student_steps,
        batch_size=budget.batch_size,
        learning_rate=budget.student_rate,
        warmup_steps=min(200, budget.student_steps // 10),
        ema_decay=budget.ema_decay,
        seed=seed,
        checkpoint_every=budget.checkpoint_every,
        bf16=bf16,
    )
    pairs, began = kept_pairs(data / "latents.safetensors", encoded), time.monotonic()
    unet = train_denoiser(config, pairs, loop, folder, distill="output", teacher=teacher, resume=True)
    minutes = (time.monotonic() - began) / 60
    pictures = held_out_pictures(data, budget.held_out, config)
    held_out = HeldOut(pictures, encode_pairs(pictures, taught.autoencoder, taught.latent_scale))
    painted, by_teacher = (
        paint(each, held_out, taught.autoencoder, taught.latent_scale) for each in (Denoiser(config, unet), teacher)
    )
    found = figures(painted, held_out, Backbones())
    return {
        "psnr_in_mask": found["psnr_in_mask"] or 0.0,
        "ssim": found["ssim"] or 0.0,
        "psnr_to_teacher": psnr_to_teacher(painted, by_teacher, held_out),
        "parameters": sum(parameter.numel() for parameter in unet.parameters()),
        "minutes": round(minutes, 1),
    }
