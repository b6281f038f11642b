"""Teaches U-Nets and the autoencoder they share as one network, by the picture they paint inside the mask.

Latents are a means. Their errors count by how much the decoder makes of them, which no weight on latents says, and the
decoder, taught on pictures' own latents, paints the hazy ones of a sample badly. Here everything from the masked person
to the finished picture learns at once: each U-Net is shown a state that its own sampling leads to, says what picture it
takes that for, the decoder paints it, and the error is the finished picture's. The picture itself is shown to nobody,
so there is nothing of it to be read off the noise ("On photographs", docs/method.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.model.networks import Networks
from lite_vton_training.dataset.latents import LatentPairs, to_tensor
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.loop.fit import LoopConfig, OnStep, fit
from lite_vton_training.trainers.autoencoder import reconstruction_terms
from lite_vton_training.trainers.detail import carry_detail
from lite_vton_training.trainers.few_steps import CLEAN, ddim_jump, levels

__all__ = ["OUTSIDE_WEIGHT", "Painters", "Painting", "PaintingLoss", "train_painting"]

OUTSIDE_WEIGHT = 0.02
"""Of an error where the person's own pixels replace what is painted, so that it goes on smoothly there."""

_FLOOR = 1e-3
"""Mean squared error, in [-1, 1] units, below which it does not pay to be better: 36 dB."""


@dataclass(frozen=True)
class Painting:
    """What is taught. `counts`: in how many steps it is sampled, each as often; one is the warm start's answer.

    `shares` is how much of a batch each kind of pairs has. `structure` weighs 1 - SSIM, and `reconstruction` what the
    autoencoder makes of the first `clean` of a batch, people as they are.
    """

    counts: tuple[int, ...] = (8, 4, 1)
    shares: Mapping[str, float] | None = None
    structure: float = 0.3
    reconstruction: float = 0.5
    clean: float = 0.25


class Painters(nn.Module):
    """What is trained: `denoisers` in one latent space, and the `autoencoder` that spans it."""

    def __init__(self, networks: Sequence[Networks]) -> None:
        super().__init__()
        first = networks[0]
        assert isinstance(first.autoencoder, TinyAutoencoder)
        self.autoencoder, self.scale = first.autoencoder, first.latent_scale
        self.denoisers = nn.ModuleDict({each.config.name: Denoiser(each.config, each.unet) for each in networks})

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Scaled latents (N, C, h, w) of pictures (N, 3, H, W)."""
        return self.autoencoder.encode(pictures).float() * self.scale

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures (N, 3, H, W) of scaled latents (N, C, h, w)."""
        return self.autoencoder.decode(latents / self.scale).float()


@dataclass(frozen=True)
class PaintingLoss:
    """Of a batch drawn from `kinds` by `shares`: how far each denoiser's finished pictures are from the people."""

    kinds: Sequence[PicturePairs]
    shares: torch.Tensor
    batch_size: int
    painting: Painting

    def __call__(self, module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """`pixels` and `structure` are means over denoisers, with the warp's detail and without."""
        assert isinstance(module, Painters)
        device = next(module.parameters()).device
        person, composite, pose, mask = self._drawn(generator, device)
        count = len(person)
        latents = module.encode(torch.cat([composite, pose]))
        inside = functional.max_pool2d(mask, person.shape[2] // latents.shape[2])
        given = LatentPairs(latents[:count], inside, latents[:count], latents[count:])
        noise = torch.randn(given.x_0.shape, generator=generator).to(device)
        steps = self._pick(self.painting.counts, generator)
        stop = int(torch.randint(steps, (), generator=generator))

        clean = max(1, round(self.painting.clean * count))
        painted = [_taken_for(each, given, noise, steps, stop) for each in module.denoisers.values()]  # type: ignore[arg-type]
        decoded = module.decode(torch.cat([*painted, given.masked_person, module.encode(person[:clean])]))
        *pictures, reconstruction, again = torch.split(decoded, [count] * (len(painted) + 1) + [clean])
        with torch.autocast(device.type, enabled=False):
            finished = [carry_detail(each, composite, reconstruction) for each in pictures]
            pixels = [_pixels(each, person, mask) for each in (*pictures, *finished)]
            structure = [_structure(each, person, mask) for each in finished]
        kept = torch.stack(list(reconstruction_terms(again, person[:clean]).values())).sum()
        return {
            "pixels": torch.stack(pixels).mean(),
            "structure": self.painting.structure * torch.stack(structure).mean(),
            "autoencoder": self.painting.reconstruction * kept,
        }

    def _drawn(self, generator: torch.Generator, device: torch.device) -> tuple[torch.Tensor, ...]:
        """Person, composite, pose (N, 3, H, W) in [-1, 1] and mask (N, 1, H, W) of the step's batch."""
        which = torch.multinomial(self.shares, self.batch_size, replacement=True, generator=generator).numpy()
        first = self.kinds[0]
        columns = [
            np.empty((self.batch_size, *each.shape[1:]), np.uint8)
            for each in (first.person, first.masked_person, first.pose, first.mask)
        ]
        for number, pairs in enumerate(self.kinds):
            places = which == number
            rows = torch.randint(len(pairs), (int(places.sum()),), generator=generator).numpy()
            for column, source in zip(
                columns, (pairs.person, pairs.masked_person, pairs.pose, pairs.mask), strict=True
            ):
                column[places] = source[rows]
        *pictures, mask = columns
        return (*(to_tensor(each, device) for each in pictures), torch.from_numpy(mask).to(device).float().unsqueeze(1))

    @staticmethod
    def _pick(counts: Sequence[int], generator: torch.Generator) -> int:
        return counts[int(torch.randint(len(counts), (), generator=generator))]


def train_painting(
    networks: Sequence[Networks],
    kinds: Mapping[str, PicturePairs],
    loop: LoopConfig,
    folder: Path,
    painting: Painting = Painting(),  # frozen
    *,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> None:
    """Fit all of `networks`, which share one autoencoder, in place to pairs of `kinds`. Raises as `fit`."""
    shares = painting.shares or {kind: len(pairs) for kind, pairs in kinds.items()}
    present = [kind for kind in kinds if shares.get(kind)]
    loss = PaintingLoss(
        [kinds[kind] for kind in present],
        torch.tensor([float(shares[kind]) for kind in present]),
        loop.batch_size,
        painting,
    )
    painters = Painters(networks)
    # Half the time of a step on a GPU, a quarter less on a CPU.
    painters.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub has no such form
    about = {"presets": [each.config.name for each in networks], "painting": asdict(painting)}
    fit(painters, loss, loop, folder, resume=resume, on_step=on_step, about=about)
    painters.cpu()


def _taken_for(denoiser: Denoiser, given: LatentPairs, noise: torch.Tensor, steps: int, stop: int) -> torch.Tensor:
    """The latent that `denoiser` takes its own state for, after `stop` of `steps` steps of DDIM from the warm start."""
    alpha_bar = alpha_bars(denoiser.config.schedule)
    path = (*levels(len(alpha_bar), steps), CLEAN)
    with torch.no_grad():
        first = alpha_bar[-1].item()
        x_t = first**0.5 * given.masked_person + (1 - first) ** 0.5 * noise
        for here, there in pairwise(path[: stop + 1]):
            x_t = _jumped(denoiser, given, x_t, alpha_bar, here, there)
    return _jumped(denoiser, given, x_t, alpha_bar, path[stop], CLEAN)


def _jumped(
    denoiser: Denoiser, given: LatentPairs, x_t: torch.Tensor, alpha_bar: torch.Tensor, here: int, there: int
) -> torch.Tensor:
    t, s = (torch.full((len(x_t),), each) for each in (here, there))
    sample, tokens = given.model_input(denoiser.config.unet, x_t)
    eps = denoiser(sample, t.to(x_t.device), tokens)
    return ddim_jump(alpha_bar, x_t, eps.float(), t, s)


def _pixels(painted: torch.Tensor, person: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Half the mean logarithm of each picture's squared error: a decibel counts alike in light pictures and in dark."""
    weight = OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * mask
    error = (weight * (painted - person).square()).mean(dim=(1, 2, 3)) / mask.mean(dim=(1, 2, 3)).clamp(min=1e-3)
    return 0.5 * (error + _FLOOR).log().mean()


def _structure(painted: torch.Tensor, person: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 - SSIM inside the mask, mean over pictures."""
    seen = torch.lerp(person, painted, mask)
    _, alike = structural_similarity_index_measure(seen, person, data_range=2.0, return_full_image=True)
    covered = mask.sum(dim=(1, 2, 3)).clamp(min=1.0)
    likeness: torch.Tensor = (alike.mean(dim=1, keepdim=True) * mask).sum(dim=(1, 2, 3)) / covered
    return (1 - likeness).mean()
