"""Distils a small autoencoder from an `AutoencoderKL`: a U-Net trained on the one's latents then runs with the other.

The encoder learns the large one's latents, the decoder to paint the photograph from them, each by itself: neither has
to make up for what the other has not learnt yet. All latents are computed once, from whole pictures, before anything is
trained; a step then sees crops of both, and the large network costs nothing any more. The linear shortcut starts as the
least-squares fit of either direction, which alone gives most of the colours.

    python -m lite_vton_training.trainers.small_autoencoder --kl FILE --data FOLDER -o runs/small
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from lite_vton.atomic import write_text
from lite_vton.data.opening import open_pairs
from lite_vton.errors import UserError
from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.model.networks import load_autoencoder, save_autoencoder
from lite_vton.presets.autoencoders import with_autoencoder
from lite_vton.presets.config import AutoencoderTinyConfig, ModelConfig
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import to_tensor
from lite_vton_training.dataset.pictures import read_pictures
from lite_vton_training.loop.fit import LoopConfig, OnStep, fit
from lite_vton_training.loop.weights_digest import weights_digest
from lite_vton_training.trainers.autoencoder import flat_tiles, reconstruction_terms

__all__ = ["FULL_SIZE", "Agreement", "agreement", "distil_autoencoder", "encoded", "fit_to_latents"]

LATENT_WEIGHT = 2.0
"""Of the mean squared difference of latents, which are of unit variance, beside the decoder's terms."""

FULL_SIZE = LoopConfig(
    steps=100_000, batch_size=16, learning_rate=5e-4, warmup_steps=1000, checkpoint_every=1000, bf16=True
)
"""For `AutoencoderTiny`'s kind at 512x384 on VITON-HD: crops of 256x192, about 70 passes over its 23,294 pictures."""

_FITTED = 256
"""Pictures that the linear shortcut is fitted to."""


@dataclass(frozen=True)
class Agreement:
    """What the small autoencoder has of the large one, over held-out pictures.

    PSNR in dB of all pixels against the picture: `large`, `small`, and each one's decoder on the other's latents.
    `latent_error` is the root mean square of the latents' difference over their own deviation, `cosine` theirs.
    """

    large_db: float
    small_db: float
    small_decoder_db: float
    small_encoder_db: float
    latent_error: float
    cosine: float


def distil_autoencoder(
    config: ModelConfig,
    large: Autoencoder,
    latent_scale: float,
    pictures: NDArray[np.uint8],
    loop: LoopConfig,
    folder: Path,
    *,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> TinyAutoencoder:
    """The small autoencoder of `config`, fitted to the latents `large` has of `pictures` (N, H, W, 3).

    `latent_scale` brings those to unit variance. A step sees `loop.batch_size` crops of half the picture's height and
    width. `UserError` for a `config` whose autoencoder is not a small one, or is made for another scale of latents; and
    as `lite_vton_training.loop.fit.fit`.
    """
    shape = config.autoencoder
    if not isinstance(shape, AutoencoderTinyConfig) or not shape.shortcut:
        raise UserError(f"{config.name} has no small autoencoder here: choose a preset with --autoencoder tiny")
    if abs(shape.latent_scale / latent_scale - 1) > 1e-3:
        raise UserError(f"the latents are scaled by {latent_scale:.5g}, {config.name} by {shape.latent_scale:.5g}")
    latents = encoded(large, pictures)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(loop.seed)
        small = TinyAutoencoder(shape)
    small.start_fitted(*_least_squares(pictures[:_FITTED], latents[:_FITTED] * latent_scale, shape.downscale))
    about = {"preset": config.name, "large": weights_digest(large), "latent_weight": LATENT_WEIGHT}
    fit_to_latents(small, latents, latent_scale, pictures, loop, folder, about, resume=resume, on_step=on_step)
    return small


def fit_to_latents(
    autoencoder: Autoencoder,
    latents: torch.Tensor,
    latent_scale: float,
    pictures: NDArray[np.uint8],
    loop: LoopConfig,
    folder: Path,
    about: Mapping[str, object],
    *,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> None:
    """Train `autoencoder` to have `latents` (N, C, h, w), unscaled, of `pictures` (N, H, W, 3), and to paint from them.

    `about` is what else the run depends on: a folder of another is refused. Ends in evaluation mode.
    """
    # Crops come channels last from their pictures, and convolutions keep them so: a quarter less time on a CPU.
    autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub has no such form
    tile = pictures.shape[1] // latents.shape[2]
    height, width = latents.shape[2] // 2, latents.shape[3] // 2

    def loss(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        def draw(end: int) -> list[int]:
            return torch.randint(end, (loop.batch_size,), generator=generator).tolist()

        seen, wanted = [], []
        for i, y, x in zip(draw(len(pictures)), draw(height + 1), draw(width + 1), strict=True):
            seen.append(pictures[i, y * tile : (y + height) * tile, x * tile : (x + width) * tile])
            wanted.append(latents[i, :, y : y + height, x : x + width])
        picture, latent = to_tensor(np.stack(seen)), torch.stack(wanted)
        assert isinstance(module, Autoencoder)
        error = (module.encode(picture).float() - latent) * latent_scale
        return {
            "latent": LATENT_WEIGHT * error.square().mean(),
            **reconstruction_terms(module.decode(latent), picture),
        }

    fit(autoencoder, loss, loop, folder, resume=resume, on_step=on_step, about=about)
    autoencoder.eval()


@torch.no_grad()
def encoded(autoencoder: Autoencoder, pictures: NDArray[np.uint8], together: int = 4) -> torch.Tensor:
    """Latents (N, C, h, w), unscaled, of pictures (N, H, W, 3)."""
    parts = (to_tensor(pictures[i : i + together]) for i in range(0, len(pictures), together))
    return torch.cat([autoencoder.encode(part) for part in parts])


@torch.no_grad()
def agreement(large: Autoencoder, small: Autoencoder, pictures: NDArray[np.uint8]) -> Agreement:
    """How alike the two are on `pictures` (N, H, W, 3), which neither should have been trained on."""
    latents = {large: encoded(large, pictures), small: encoded(small, pictures)}

    def psnr(encoder: Autoencoder, decoder: Autoencoder) -> float:
        errors = []
        for index, latent in enumerate(latents[encoder]):
            painted = decoder.decode(latent[None]).clamp(-1, 1)
            errors.append((painted - to_tensor(pictures[index : index + 1])).square().mean())
        return float(10 * torch.log10(4 / torch.stack(errors).mean()))

    wanted, found = latents[large], latents[small]
    return Agreement(
        large_db=psnr(large, large),
        small_db=psnr(small, small),
        small_decoder_db=psnr(large, small),
        small_encoder_db=psnr(small, large),
        latent_error=float((found - wanted).square().mean().sqrt() / wanted.std()),
        cosine=float(functional.cosine_similarity(found.flatten(), wanted.flatten(), dim=0)),
    )


def _least_squares(
    pictures: NDArray[np.uint8], latents: torch.Tensor, tile: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weights and biases of the affine maps from a tile (3, t, t) to its latent (C,) and back that err least."""
    tiles = flat_tiles(to_tensor(pictures), tile)
    codes = latents.flatten(2).transpose(1, 2).flatten(0, 1)

    def fitted(given: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        centre, offset = given.mean(dim=0), wanted.mean(dim=0)
        x, y = (given - centre).double(), (wanted - offset).double()
        ridge = 1e-3 * x.square().mean() * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
        weight = torch.linalg.solve(x.T @ x + ridge, x.T @ y).T.float()
        return weight, offset - weight @ centre

    to_latent, latent_bias = fitted(tiles, codes)
    to_picture, picture_bias = fitted(codes, tiles)
    return to_latent, latent_bias, to_picture.T.contiguous(), picture_bias


def main() -> None:
    """The recipe on a dataset, at a preset's own size; the defaults are those of `FULL_SIZE`."""
    from lite_vton_training.loop.stages import Clock, stage

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--kl", type=Path, required=True, help="autoencoder.safetensors of a run, as `import` writes it"
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of VITON-HD or DressCode")
    parser.add_argument("--output", "-o", type=Path, required=True, help="folder of the run")
    parser.add_argument("--preset", default="litemp-vton")
    parser.add_argument("--steps", type=int, default=FULL_SIZE.steps)
    parser.add_argument("--batch-size", type=int, default=FULL_SIZE.batch_size)
    parser.add_argument("--learning-rate", type=float, default=FULL_SIZE.learning_rate)
    parser.add_argument("--held-out", type=int, default=64, help="of the pairs, the last: judged on, not trained on")
    parser.add_argument("--fp32", action="store_true", help="compute in float32, where bfloat16 is slow")
    parser.add_argument("--resume", action="store_true", help="go on where the run stopped")
    given = parser.parse_args()
    base = preset(given.preset)
    config = with_autoencoder(base, "tiny")
    large, scale = load_autoencoder(with_autoencoder(base, "kl"), given.kl)
    pairs = open_pairs(given.data, "train", height=config.height, width=config.width, mask=config.mask)
    if len(pairs) <= given.held_out:
        raise SystemExit(f"{given.data} has {len(pairs)} pairs: too few to keep {given.held_out} from training")
    read = read_pictures(pairs)
    split = len(read) - given.held_out
    # Composites too: the encoder will meet their grey holes.
    faces = np.concatenate([read.person[:split], read.masked_person[:split]])
    loop = LoopConfig(
        steps=given.steps,
        batch_size=given.batch_size,
        learning_rate=given.learning_rate,
        warmup_steps=min(FULL_SIZE.warmup_steps, given.steps // 10),
        checkpoint_every=max(1, min(FULL_SIZE.checkpoint_every, given.steps // 10)),
        bf16=not given.fp32,
    )
    given.output.mkdir(parents=True, exist_ok=True)
    with stage("autoencoder", loop, Clock(given.output / "minutes.json")) as on_step:
        small = distil_autoencoder(
            config, large, scale, faces, loop, given.output / "autoencoder", resume=given.resume, on_step=on_step
        )
    save_autoencoder(config, small, scale, given.output / "autoencoder.safetensors")
    found = vars(agreement(large, small, read.person[split:]))
    write_text(given.output / "agreement.json", json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
