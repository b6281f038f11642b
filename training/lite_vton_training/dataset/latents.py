"""Pairs as the denoiser trains on them: encoded once, kept in memory (`lite_vton_training.dataset.shards` keeps them on
a disk).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from lite_vton.atomic import whole_file
from lite_vton.errors import UserError
from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.image_encoder import ImageEncoder
from lite_vton.presets.config import UNetConfig
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.loop.kept_arrays import MEND

__all__ = ["ENCODED_TOGETHER", "LatentPairs", "Pairs", "encode_pairs", "joined", "kept_pairs", "to_tensor"]

ENCODED_TOGETHER = 16
"""Pictures the autoencoder is given at once. Convolutions may round otherwise in batches of another size."""


class Pairs(Protocol):
    """Pairs to train on, wherever they are kept; any of them can be asked for at any time."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Of one pair's `x_0`: (C, h, w)."""

    def __len__(self) -> int: ...

    def batch(self, chosen: torch.Tensor) -> LatentPairs:
        """The pairs at the indices `chosen`, in memory."""

    def part(self, rows: slice) -> LatentPairs:
        """The pairs of a slice, in memory."""


@dataclass(frozen=True)
class LatentPairs:
    """N pairs, float32. All but `mask` (N, 1, h, w) and `tokens` are scaled latents (N, C, h, w).

    `x_0` is the person wearing the garment, `masked_person` the warped composite, `pose` the skeleton. `tokens`
    (N, T, D) float16 are CLIP's of the garment, None where no network attends to any. In float16 those of VITON-HD's
    11,647 pairs take 3.5 GB; they come out of a normalisation, so none is too large for it.
    """

    x_0: torch.Tensor
    mask: torch.Tensor
    masked_person: torch.Tensor
    pose: torch.Tensor
    tokens: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.x_0)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Of one pair's `x_0`: (C, h, w)."""
        return tuple(self.x_0.shape[1:])

    def batch(self, chosen: torch.Tensor) -> LatentPairs:
        """The pairs at the indices `chosen`."""
        return self._each(lambda tensor: tensor[chosen])

    def part(self, rows: slice) -> LatentPairs:
        """The pairs of a slice, without copying."""
        return self._each(lambda tensor: tensor[rows])

    def to(self, device: torch.device) -> LatentPairs:
        """The same on `device`."""
        return self._each(lambda tensor: tensor.to(device))

    def conditions(self, told: Sequence[str] = ("mask", "masked_person", "pose")) -> torch.Tensor:
        """(N, K, h, w): the conditions `told` in that order; by default mask (1) | masked person (C) | pose (C)."""
        return torch.cat([getattr(self, name) for name in told], dim=1)

    def model_input(self, unet: UNetConfig, x_t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What a U-Net of that shape is given beside the timestep: `sample`, and its tokens, float32, if it has any.

        `x_t` (N, C, h, w) is the noisy latent. `ValueError` where it wants tokens and the pairs have none.
        """
        sample = torch.cat([x_t, self.conditions(unet.told)], dim=1)
        if unet.cross_attention is None:
            return sample, None
        if self.tokens is None:
            raise ValueError("the U-Net attends to tokens and these pairs have none: encode them with an image encoder")
        return sample, self.tokens.float()

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> LatentPairs:
        tokens = None if self.tokens is None else change(self.tokens)
        return LatentPairs(change(self.x_0), change(self.mask), change(self.masked_person), change(self.pose), tokens)


@torch.no_grad()
def encode_pairs(
    pictures: PicturePairs,
    autoencoder: Autoencoder,
    scale: float,
    batch_size: int = ENCODED_TOGETHER,
    *,
    image_encoder: nn.Module | None = None,
) -> LatentPairs:
    """Encode each pair's three pictures, where the autoencoder is; the pairs are on the CPU.

    `pictures.person` wears the garment of the composite.

    `image_encoder`, transformers' `CLIPVisionModel`, makes the tokens of `pictures.garment`. It is not trained, so they
    are made once too. `ValueError` where there are no garments for it.
    """

    def encode(column: NDArray[np.uint8]) -> torch.Tensor:
        batches = _batches(column, batch_size, _device(autoencoder))
        return torch.cat([autoencoder.encode(batch).cpu() for batch in batches]).mul(scale)

    x_0 = encode(pictures.person)
    downscale = pictures.person.shape[1] // x_0.shape[2]
    mask = functional.max_pool2d(torch.from_numpy(pictures.mask).float().unsqueeze(1), downscale)
    masked_person, pose = encode(pictures.masked_person), encode(pictures.pose)
    if image_encoder is None:
        return LatentPairs(x_0, mask, masked_person, pose)
    if len(pictures.garment) != len(pictures):
        raise ValueError("the pictures hold no garments for the image encoder: read them with garments")
    tower = ImageEncoder(image_encoder.eval())
    tokens = [tower(batch).half().cpu() for batch in _batches(pictures.garment, batch_size, _device(image_encoder))]
    return LatentPairs(x_0, mask, masked_person, pose, torch.cat(tokens))


def joined(parts: Sequence[LatentPairs]) -> LatentPairs:
    """All pairs of `parts`, in their order; none of them has tokens."""
    names = ("x_0", "mask", "masked_person", "pose")
    return LatentPairs(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def kept_pairs(file: Path, make: Callable[[], LatentPairs]) -> LatentPairs:
    """The pairs in the safetensors `file`; made and written there first, whole or not at all, where there is none."""
    if not file.is_file():
        made = {name: tensor.contiguous() for name, tensor in vars(make()).items() if tensor is not None}
        with whole_file(file) as draft:
            save_file(made, draft)
    return _pairs_in(file)


def _pairs_in(file: Path) -> LatentPairs:
    try:
        tensors = load_file(file)
        pairs = LatentPairs(**tensors)
    except (OSError, SafetensorError, TypeError) as error:  # TypeError: for tensors of other names
        raise UserError(f"{file} is damaged or holds no latents ({' '.join(str(error).split())}): {MEND}") from error
    for name, tensor in tensors.items():
        if not _fits(name, tensor, pairs.x_0):
            raise UserError(f"{file} holds {name} of {tuple(tensor.shape)}, which fits no latents: {MEND}")
        if not (tensor.is_floating_point() and tensor.isfinite().all()):
            raise UserError(f"{file} holds {name} with NaN or infinity, or of whole numbers: {MEND}")
    return pairs


def _fits(name: str, tensor: torch.Tensor, x_0: torch.Tensor) -> bool:
    """Whether it is the `name` of as many pairs as `x_0`, and as high and wide; `x_0` itself may be `tensor`."""
    if x_0.ndim != 4 or tensor.ndim != (3 if name == "tokens" else 4) or len(tensor) != len(x_0):
        return False
    return name == "tokens" or tensor.shape[2:] == x_0.shape[2:]


def _batches(pictures: NDArray[np.uint8], size: int, device: torch.device) -> Iterator[torch.Tensor]:
    return (to_tensor(pictures[i : i + size], device) for i in range(0, len(pictures), size))


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device


def to_tensor(pictures: NDArray[np.uint8], device: torch.device | None = None) -> torch.Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32 in [-1, 1], on `device` (default: the CPU)."""
    return torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1.0
