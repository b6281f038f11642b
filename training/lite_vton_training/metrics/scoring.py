"""Scores of one way to make try-ons, collected picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lite_vton.data.sample import TryOnSample
from lite_vton.tryon.inputs import to_picture
from lite_vton_training.metrics.backbones import Backbones
from lite_vton_training.metrics.distribution import Kid, frechet_distance, kernel_distance
from lite_vton_training.metrics.haar import haarpsi
from lite_vton_training.metrics.similarity import Picture, masked_psnr, masked_ssim, psnr, ssim

__all__ = ["Figures", "Paint", "Scores", "Similarity", "Tally", "evaluate", "repainted"]

Paint = Callable[[TryOnSample], Picture]
"""A way to make a try-on: a pair to a picture (H, W, 3) uint8 of the same size."""


@dataclass(frozen=True)
class Similarity:
    """Means over the pairs, next to the photographs: PSNR in dB, SSIM, HaarPSI, LPIPS (None without its weights)."""

    psnr: float
    ssim: float
    haarpsi: float
    lpips: float | None


@dataclass(frozen=True)
class Figures:
    """What one set of pictures scores. None where it cannot be said.

    `whole` and `masked` (the repainted pixels alone) need the photograph of the person in the same garment;
    `fid` and `kid` need Inception's weights and at least two pictures, and always judge whole pictures.
    """

    whole: Similarity | None
    masked: Similarity | None
    fid: float | None
    kid: Kid | None


@dataclass(frozen=True)
class Scores:
    """`raw` as the network painted them, `repainted` with the person's own pixels back outside the mask."""

    pairs: int
    repainted: Figures
    raw: Figures

    @property
    def psnr_in_mask(self) -> float:
        """PSNR over the repainted pixels, dB; NaN unpaired. The same raw and repainted."""
        return float("nan") if self.repainted.masked is None else self.repainted.masked.psnr

    @property
    def ssim(self) -> float:
        """SSIM of the whole repainted picture; NaN unpaired."""
        return float("nan") if self.repainted.whole is None else self.repainted.whole.ssim


_Row = tuple[float, float, float, float]
"""One picture's PSNR, SSIM, HaarPSI and LPIPS."""


@dataclass
class _Sums:
    whole: list[_Row] = field(default_factory=list)
    masked: list[_Row] = field(default_factory=list)
    features: list[Tensor] = field(default_factory=list)

    def figures(self, real: Sequence[Tensor], lpips: bool) -> Figures:
        fid, kid = None, None
        if len(self.features) > 1:
            photographs, made = torch.cat(list(real)), torch.cat(self.features)
            fid, kid = frechet_distance(photographs, made), kernel_distance(photographs, made)
        return Figures(_means(self.whole, lpips), _means(self.masked, lpips), fid, kid)


class Tally:
    """Takes pictures one after another and says at the end what they score."""

    def __init__(self, backbones: Backbones, paired: bool = True) -> None:
        """Unpaired, nobody was photographed in the garment they are given, so only FID and KID can be told."""
        self._backbones, self._paired = backbones, paired
        self._raw, self._repainted = _Sums(), _Sums()
        self._pairs = 0

    def add(self, picture: Picture, target: Picture, inside: NDArray[np.bool_]) -> None:
        """`picture` as painted, `target` the person's photograph of the same size, `inside` (H, W) the repaint mask."""
        self._pairs += 1
        for sums, judged in ((self._raw, picture), (self._repainted, repainted(picture, target, inside))):
            if self._paired:
                whole, masked = _LEFT_OUT
                if self._backbones.lpips is not None:
                    whole, masked = self._backbones.lpips.distances(judged, target, inside)
                seen, seen_inside = haarpsi(judged, target, inside)
                sums.whole.append((psnr(judged, target), ssim(judged, target), seen, whole))
                similar = masked_psnr(judged, target, inside), masked_ssim(judged, target, inside)
                sums.masked.append((*similar, seen_inside, masked))
            if self._backbones.inception is not None:
                sums.features.append(self._backbones.inception.features([judged]))

    def scores(self, real: Sequence[Tensor] = ()) -> Scores:
        """`real` are Inception's features (1, 2048) of each photograph, where there is an Inception."""
        lpips = self._backbones.lpips is not None
        return Scores(self._pairs, self._repainted.figures(real, lpips), self._raw.figures(real, lpips))


def evaluate(samples: Iterable[TryOnSample], paint: Paint, backbones: Backbones | None = None) -> Scores:
    """Paint every pair (the person's own garment) and compare with the person."""
    backbones = Backbones() if backbones is None else backbones
    tally, real = Tally(backbones), []
    for sample in samples:
        target = to_picture(sample.target)
        tally.add(paint(sample), target, sample.inputs.mask[0, 0] > 0.5)
        if backbones.inception is not None:
            real.append(backbones.inception.features([target]))
    return tally.scores(real)


def repainted(picture: Picture, target: Picture, inside: NDArray[np.bool_]) -> Picture:
    """`picture` where `inside` (H, W) is true, the person's own pixels elsewhere."""
    return np.where(inside[..., None], picture, target)


_LEFT_OUT = (float("nan"), float("nan"))


def _means(rows: Sequence[_Row], lpips: bool) -> Similarity | None:
    if not rows:
        return None
    means = [float(np.mean(column)) for column in zip(*rows, strict=True)]
    return Similarity(means[0], means[1], means[2], means[3] if lpips else None)
