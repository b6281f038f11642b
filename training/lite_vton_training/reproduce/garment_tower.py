"""A small image tower trained on drawn garments: it stands in for CLIP's where no folder with that one is named.

Contrastive, as CLIP itself (Radford et al. 2021, arXiv:2103.00020, section 2.3), with pictures on both sides (InfoNCE,
van den Oord et al. 2018, arXiv:1807.03748): of a batch's garments as the shop shows them and as they are worn, the
tower has to tell which belong together. So its tokens come to speak of cloth, print and cut, which is what tokens are
for here; of photographs it knows nothing.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from lite_vton.atomic import write_text
from lite_vton.garment.cutout import CLIP_SIDE
from lite_vton.model.image_encoder import ImageEncoder, build_image_encoder
from lite_vton.presets.config import ImageEncoderConfig
from lite_vton_training.dataset.latents import to_tensor
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.loop.fit import LoopConfig, OnStep, fit

__all__ = ["STAND_IN", "GarmentTower", "TowerRecipe", "contrast", "found_again", "train_tower", "worn_garments"]

TEMPERATURE = 0.07
"""Where it begins; it is learned, as in CLIP."""

SMALLEST_CROP = 0.7
"""Of a picture's side: less would show of many garments nothing but plain cloth."""


@dataclass(frozen=True)
class TowerRecipe:
    """`shape` of the tower, channels `embedding` of what is compared, and how it is trained."""

    shape: ImageEncoderConfig
    embedding: int
    loop: LoopConfig


STAND_IN = TowerRecipe(
    ImageEncoderConfig(width=96, layers=4, heads=4, patch=28),
    embedding=64,
    loop=LoopConfig(steps=600, batch_size=64, learning_rate=1e-3, warmup_steps=60, ema_decay=0.99),
)
"""In proportion to the demo models: 0.7 M parameters, 65 tokens of 96 channels."""


class GarmentTower(nn.Module):
    """A tower, and what makes its class token comparable: a projection and a temperature, which are left behind."""

    def __init__(self, recipe: TowerRecipe) -> None:
        super().__init__()
        self.encoder = ImageEncoder(build_image_encoder(recipe.shape))
        self.projection = nn.Linear(recipe.shape.width, recipe.embedding, bias=False)
        self.sharpness = nn.Parameter(torch.tensor(-math.log(TEMPERATURE)))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(N, 3, 224, 224) RGB in [-1, 1] to directions (N, D)."""
        return functional.normalize(self.projection(self.encoder(pictures)[:, 0]), dim=1)


def contrast(garments: torch.Tensor, worn: torch.Tensor, sharpness: torch.Tensor) -> torch.Tensor:
    """InfoNCE both ways of directions (N, D), row i of one belonging to row i of the other; `sharpness` is a logarithm.

    It is limited to 100 as in CLIP.
    """
    logits = sharpness.exp().clamp(max=100) * (garments @ worn.T).float()
    same = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, same) + functional.cross_entropy(logits.T, same)) / 2


def train_tower(
    pictures: PicturePairs, held_out: PicturePairs, recipe: TowerRecipe, folder: Path, on_step: OnStep | None = None
) -> float:
    """Train a tower on `pictures`, resuming what is in `folder/run`, and save it in `folder` as transformers does.

    Both need garments. Returns, and writes to `folder/found.json`, what share of the `held_out` garments it finds again
    among all of them as worn. Raises as `lite_vton_training.loop.fit.fit`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.loop.seed)
        tower = GarmentTower(recipe)
    worn, size = worn_garments(pictures), recipe.loop.batch_size

    def loss(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        chosen = torch.randperm(len(worn), generator=generator)[:size].numpy()
        shown = torch.cat([_cropped(to_tensor(side[chosen]), generator) for side in (pictures.garment, worn)])
        garments, people = module(shown).chunk(2)
        sharpness = module.get_parameter("sharpness")
        return {"contrast": contrast(garments, people, sharpness)}

    fit(tower, loss, recipe.loop, folder / "run", resume=True, on_step=on_step, about={"tower": asdict(recipe.shape)})
    share = found_again(tower, held_out)
    tower.encoder.tower.save_pretrained(folder)  # type: ignore[operator]  # a module, not a tensor
    text = json.dumps({"found_again": share, "of": len(held_out), "recipe": asdict(recipe)}, indent=2)
    write_text(folder / "found.json", text + "\n")
    return share


@torch.no_grad()
def found_again(tower: GarmentTower, pictures: PicturePairs) -> float:
    """Share of the garments of which the most similar worn one is their own."""
    garments, worn = (tower(to_tensor(side)) for side in (pictures.garment, worn_garments(pictures)))
    nearest = (garments @ worn.T).argmax(dim=1)
    return float((nearest == torch.arange(len(nearest))).float().mean())


def worn_garments(pictures: PicturePairs) -> NDArray[np.uint8]:
    """(N, 224, 224, 3): what of each person is repainted, which the garment is in, on a white square."""
    return np.stack([_worn(person, mask > 0) for person, mask in zip(pictures.person, pictures.mask, strict=True)])


def _worn(person: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    shown = np.where(inside[..., None], person, np.uint8(255))
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows):
        shown = shown[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = shown.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = shown
    return np.asarray(cv2.resize(square, (CLIP_SIDE, CLIP_SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _cropped(pictures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The same part of each, at full size again: garment and wearer are seldom cropped alike."""
    share, across, down = torch.rand(3, generator=generator).tolist()
    size = pictures.shape[-1]
    side = round(size * (SMALLEST_CROP + (1 - SMALLEST_CROP) * share))
    left, top = round(across * (size - side)), round(down * (size - side))
    part = pictures[:, :, top : top + side, left : left + side]
    return functional.interpolate(part, (size, size), mode="bilinear", align_corners=False, antialias=False)
