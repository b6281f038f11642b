"""How good try-ons are, next to photographs of people really wearing the garment. The protocol: docs/evaluation.md."""

from training.metrics.backbones import Backbones, find_backbones
from training.metrics.haar import haarpsi
from training.metrics.scoring import Figures, Paint, Scores, Similarity, Tally, evaluate, repainted
from training.metrics.sharpness import relative_sharpness
from training.metrics.similarity import Picture, masked_psnr, masked_ssim, psnr, ssim

__all__ = [
    "Backbones",
    "Figures",
    "Paint",
    "Picture",
    "Scores",
    "Similarity",
    "Tally",
    "evaluate",
    "find_backbones",
    "haarpsi",
    "masked_psnr",
    "masked_ssim",
    "psnr",
    "relative_sharpness",
    "repainted",
    "ssim",
]
