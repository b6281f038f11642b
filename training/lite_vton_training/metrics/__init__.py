"""How good try-ons are, next to photographs of people really wearing the garment. The protocol: docs/evaluation.md."""

from lite_vton_training.metrics.backbones import Backbones, find_backbones
from lite_vton_training.metrics.haar import haarpsi
from lite_vton_training.metrics.scoring import Figures, Paint, Scores, Similarity, Tally, evaluate, repainted
from lite_vton_training.metrics.sharpness import relative_sharpness
from lite_vton_training.metrics.similarity import Picture, masked_psnr, masked_ssim, psnr, ssim

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
