"""A denoiser's try-ons of held-out people, and how good they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.tryon.detail import carry_detail
from lite_vton.tryon.inputs import FloatArray, to_network, to_picture
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.metrics import Backbones, Tally, masked_psnr, repainted
from lite_vton_training.trainers.sampling import sample_latents

__all__ = ["HeldOut", "decoded", "figures", "paint", "psnr_to_teacher"]


@dataclass(frozen=True)
class HeldOut:
    """The same people as `pictures` and as latent `pairs`."""

    pictures: PicturePairs
    pairs: LatentPairs


def paint(denoiser: Denoiser, held_out: HeldOut, autoencoder: Autoencoder, latent_scale: float) -> NDArray[np.uint8]:
    """(N, H, W, 3): inside the mask what a try-on gives, detail carried over; outside what the decoder made.

    By DDIM in the preset's steps, from the same noise for every denoiser.
    """
    latents = sample_latents(denoiser.config, denoiser.eval(), held_out.pairs)
    return decoded(latents, held_out, autoencoder, latent_scale)


@torch.no_grad()
def decoded(
    latents: torch.Tensor, held_out: HeldOut, autoencoder: Autoencoder, latent_scale: float, *, detail: bool = True
) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 3) of the people's scaled latents (N, C, h, w), inside the mask with or without `detail`."""

    def picture(latent: torch.Tensor) -> FloatArray:
        found: FloatArray = autoencoder.decode(latent[None] / latent_scale).numpy()
        return found

    found = []
    people = held_out.pictures
    for latent, warp, composite, mask in zip(
        latents, held_out.pairs.masked_person, people.masked_person, people.mask, strict=True
    ):
        plain = picture(latent)
        inside = carry_detail(plain, to_network(composite), picture(warp)) if detail else plain
        found.append(repainted(to_picture(inside), to_picture(plain), mask > 0))
    return np.stack(found)


def figures(painted: NDArray[np.uint8], held_out: HeldOut, backbones: Backbones) -> dict[str, float | None]:
    """Means over the people, with the person's own pixels outside the mask; None without a metric's weights."""
    tally, real = Tally(backbones), []
    people = held_out.pictures
    for picture, person, mask in zip(painted, people.person, people.mask, strict=True):
        tally.add(picture, person, mask > 0)
        if backbones.inception is not None:
            real.append(backbones.inception.features([person]))
    scores = tally.scores(real)
    whole, masked = scores.repainted.whole, scores.repainted.masked
    assert whole is not None
    assert masked is not None
    kid = scores.repainted.kid
    return {
        "psnr_in_mask": masked.psnr,
        "ssim": whole.ssim,
        "lpips": whole.lpips,
        "fid": scores.repainted.fid,
        "kid": None if kid is None else kid.mean,
    }


def psnr_to_teacher(painted: NDArray[np.uint8], taught: NDArray[np.uint8], held_out: HeldOut) -> float:
    """How near the student's pictures are to its teacher's, dB inside the mask, mean of the people's."""
    masks = held_out.pictures.mask > 0
    return float(np.mean([masked_psnr(*each) for each in zip(painted, taught, masks, strict=True)]))
