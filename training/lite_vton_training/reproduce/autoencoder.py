"""What a small autoencoder in `AutoencoderKL`'s place costs in quality, at the demo's size; writes a page about it.

`just reproduce-autoencoder` runs it and leaves everything it made in runs/small-autoencoder; stopped in whatever way,
it goes on where it was. No `AutoencoderKL` comes with the package, so one is trained first, on drawn pairs and in the
latent space that the demo's U-Net knows. The small one is distilled from it alone, as at full size
(`lite_vton_training.trainers.small_autoencoder`), and the demo student then dresses the held-out people with either.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from lite_vton.atomic import write_text
from lite_vton.errors import UserError
from lite_vton.model.cost import component_costs
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import Networks, build_autoencoder, shipped_networks
from lite_vton.presets.config import AutoencoderKLConfig, AutoencoderTinyConfig
from lite_vton.presets.table import preset
from lite_vton_training.dataset.drawn import drawn_pictures, held_out_pictures
from lite_vton_training.dataset.latents import encode_pairs
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.loop.bfloat16 import bf16_pays
from lite_vton_training.loop.claimed_folder import claim
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.loop.stages import Clock, stage
from lite_vton_training.loop.weights_digest import weights_digest
from lite_vton_training.metrics import Backbones
from lite_vton_training.metrics.held_out import HeldOut, figures, paint, psnr_to_teacher
from lite_vton_training.trainers.small_autoencoder import (
    LATENT_WEIGHT,
    Agreement,
    agreement,
    distil_autoencoder,
    encoded,
    fit_to_latents,
)

__all__ = ["AutoencoderTrial", "Dressed", "reproduce_autoencoder"]

COMMAND = "just reproduce-autoencoder"


_LARGE = AutoencoderKLConfig(channels=(24, 48, 64, 64), layers_per_block=1, norm_groups=8)
_SMALL = AutoencoderTinyConfig(
    patch=4, channels=(32, 32), blocks=(2, 3), decoder_channels=(64, 64), decoder_blocks=(2, 3)
)


@dataclass(frozen=True)
class AutoencoderTrial:
    """All that the figures depend on beside the package's weights. `large` and `small` are in the demo's latent space.

    The small one has half the demo autoencoder's channels, so that it has something to lose.
    """

    pairs: int = 1000
    held_out: int = 64
    data_seed: int = 20251
    model: str = "demo"
    large: AutoencoderKLConfig = _LARGE
    small: AutoencoderTinyConfig = _SMALL
    large_loop: LoopConfig = field(default_factory=lambda: _loop(1500))
    small_loop: LoopConfig = field(default_factory=lambda: _loop(4000))


def _loop(steps: int) -> LoopConfig:
    return LoopConfig(
        steps=steps, batch_size=4, learning_rate=5e-4, warmup_steps=steps // 20, ema_decay=0.998, checkpoint_every=500
    )


@dataclass(frozen=True)
class Dressed:
    """An autoencoder, and the held-out people dressed with it by the same U-Net from the same noise.

    Millions of parameters; GFLOPs of encoding two pictures and decoding one; dB inside the mask against the photograph,
    and against the pictures that the demo's own autoencoder gives, None for itself; SSIM of the whole.
    """

    parameters: float
    gflops: float
    psnr_in_mask: float
    ssim: float
    psnr_to_own: float | None


def reproduce_autoencoder(trial: AutoencoderTrial, folder: Path, page: Path) -> None:
    """Train what is missing and write `page`, with all figures beside it as JSON.

    `UserError` for a folder that holds another trial's.
    """
    shipped = shipped_networks(preset(trial.model))
    config, scale = shipped.config, shipped.latent_scale
    weights = {"weights": weights_digest(shipped.autoencoder, shipped.unet)}
    claim(folder / "settings.json", asdict(trial) | weights, "another trial, or one of other weights")
    pictures = drawn_pictures(folder, trial.pairs, trial.data_seed, config)
    seen = np.concatenate([pictures.person, pictures.masked_person])
    clock = Clock(folder / "minutes.json")
    large_config, small_config = (
        replace(config, autoencoder=replace(shape, latent_scale=scale), shipped_weights=None)
        for shape in (trial.large, trial.small)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(trial.large_loop.seed)
        large = build_autoencoder(large_config.autoencoder)
    with stage("AutoencoderKL", trial.large_loop, clock) as on_step:
        fit_to_latents(
            large,
            encoded(shipped.autoencoder, seen, together=16),
            scale,
            seen,
            trial.large_loop,
            folder / "large",
            {"space": weights_digest(shipped.autoencoder), "latent_weight": LATENT_WEIGHT},
            resume=True,
            on_step=on_step,
        )
    with stage("small autoencoder", trial.small_loop, clock) as on_step:
        small = distil_autoencoder(
            small_config, large, scale, seen, trial.small_loop, folder / "small", resume=True, on_step=on_step
        )

    held_out = held_out_pictures(folder, trial.held_out, config)
    dressed = _dressed(
        {
            "the demo's own": shipped,
            "AutoencoderKL": replace(shipped, config=large_config, autoencoder=large),
            "small, distilled from it": replace(shipped, config=small_config, autoencoder=small),
        },
        held_out,
    )
    alike = agreement(large, small, held_out.person)
    _write(page, trial, dressed, alike, clock)


def _dressed(models: Mapping[str, Networks], people: PicturePairs) -> dict[str, Dressed]:
    """By name, `people` dressed by each model; the first is what the others are compared with."""
    found: dict[str, Dressed] = {}
    own = None
    for name, networks in models.items():
        autoencoder, scale = networks.autoencoder, networks.latent_scale
        held_out = HeldOut(people, encode_pairs(people, autoencoder, scale))
        painted = paint(Denoiser(networks.config, networks.unet), held_out, autoencoder, scale)
        scores = figures(painted, held_out, Backbones())
        costs = component_costs(networks.config)
        found[name] = Dressed(
            parameters=sum(weight.numel() for weight in autoencoder.parameters()) / 1e6,
            gflops=(costs["vae_encoder"].flops + costs["vae_decoder"].flops) / 1e9,
            psnr_in_mask=scores["psnr_in_mask"] or 0.0,
            ssim=scores["ssim"] or 0.0,
            psnr_to_own=None if own is None else psnr_to_teacher(painted, own, held_out),
        )
        own = painted if own is None else own
    return found


def _write(page: Path, trial: AutoencoderTrial, dressed: Mapping[str, Dressed], alike: Agreement, clock: Clock) -> None:
    content = {
        "trial": asdict(trial),
        "dressed": {name: asdict(found) for name, found in dressed.items()},
        "agreement": asdict(alike),
        "minutes": clock.minutes(),
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page.with_suffix(".json"), json.dumps(content, indent=1) + "\n")
    write_text(page, "\n".join(_lines(trial, dressed, alike, clock)) + "\n")


def _lines(trial: AutoencoderTrial, dressed: Mapping[str, Dressed], alike: Agreement, clock: Clock) -> list[str]:
    minutes = " and ".join(f"{value:.0f}" for value in clock.minutes().values())
    rows = [
        f"| {name} | {row.parameters:.2f} M | {row.gflops:.1f} | {row.psnr_in_mask:.2f} | {row.ssim:.4f} | "
        + ("" if row.psnr_to_own is None else f"{row.psnr_to_own:.2f}")
        + " |"
        for name, row in dressed.items()
    ]
    (_, large, small) = dressed.values()
    return [
        "# A small autoencoder in AutoencoderKL's place",
        "",
        f"Written by `{COMMAND}`. An AutoencoderKL is trained on {trial.pairs} drawn pairs in the latent space of the "
        f"demo's U-Net ({trial.large_loop.steps} steps), and a small autoencoder is distilled from it alone "
        f"({trial.small_loop.steps} steps), as at full size ([method.md](method.md)). The demo student, which was "
        f"trained with neither, dresses the {trial.held_out} held-out people with each, DDIM from the same noise, "
        "detail carried over.",
        "",
        "| autoencoder | parameters | GFLOPs, two encoded and one decoded | PSNR in mask, dB | SSIM "
        "| PSNR in mask to the first row's pictures, dB |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"The small one takes {small.gflops / large.gflops:.1%} of the large one's operations, and its try-ons are "
        f"{small.psnr_in_mask - large.psnr_in_mask:+.2f} dB and {small.ssim - large.ssim:+.4f} SSIM from the large "
        "one's.",
        "",
        "On the held-out photographs themselves, all pixels, dB: encoded and decoded by AutoencoderKL "
        f"{alike.large_db:.2f}, by the small one {alike.small_db:.2f}; the small decoder on AutoencoderKL's latents "
        f"{alike.small_decoder_db:.2f}, AutoencoderKL's decoder on the small one's {alike.small_encoder_db:.2f}. The "
        f"latents differ by {alike.latent_error:.1%} of their deviation, their cosine is {alike.cosine:.4f}.",
        "",
        f"Training took {minutes} minutes of the clock. {platform.machine()}, {os.cpu_count()} cores, "
        f"torch {torch.__version__}, {time.strftime('%Y-%m-%d')}.",
    ]


def main() -> None:
    """Command line: how long, and where to."""
    trial = AutoencoderTrial()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=trial.pairs, help="drawn pairs to train on")
    parser.add_argument("--threads", type=int, help="of torch; default: one a core")
    parser.add_argument("--folder", type=Path, default=Path("runs/small-autoencoder"), help="data and checkpoints")
    parser.add_argument("--page", type=Path, default=Path("docs/small-autoencoder.md"), help="what to write")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    loops = {name: replace(getattr(trial, name), bf16=bf16_pays()) for name in ("large_loop", "small_loop")}
    try:
        reproduce_autoencoder(replace(trial, pairs=arguments.pairs, **loops), arguments.folder, arguments.page)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
