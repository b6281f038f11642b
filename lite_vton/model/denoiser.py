"""What the U-Net's output means: epsilon itself, or the distance from the pasted warp, turned into epsilon here.

Try-on starts from a picture that is nearly right. A network that predicts epsilon spends its first thousands of
steps on copying noise from its input to its output; one that predicts what is wrong with the pasted warp begins
with the pasted warp. The scales are those of Karras et al. 2022 (arXiv:2206.00364, table 1), with the masked person's
latent c as the mean of the prior instead of zero: for x_0 = c + s r, r of unit variance, and sigma^2 = 1/alpha_bar - 1,

    x_0 = c + s^2 / (s^2 + sigma^2) (x_t / sqrt(alpha_bar) - c) + sigma s / sqrt(s^2 + sigma^2) F,

where F is the network's output, of unit variance at every timestep if x_t is all there is to know. As epsilon:

    eps = sqrt(1 - alpha_bar) / v (x_t - sqrt(alpha_bar) c) - s sqrt(alpha_bar / v) F,
    v = alpha_bar s^2 + 1 - alpha_bar.

Neither factor exceeds 1 / sqrt(v) or 1, so nothing is lost in float16 at either end of the schedule.
"""

from __future__ import annotations

import torch
from torch import nn

from lite_vton.presets.config import ModelConfig, NoiseSchedule

__all__ = ["Denoiser", "alpha_bars"]


class Denoiser(nn.Module):
    """A U-Net behind the one contract every sampler knows: what it sees and a timestep in, epsilon out."""

    def __init__(self, config: ModelConfig, unet: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.unet = unet
        self._deviation = config.unet.residual_deviation
        self._noisy = config.channels_of("noisy_latent")
        self._mean = config.channels_of("masked_person")
        if self._deviation is not None:
            # One row a timestep, so that an exported graph looks factors up instead of computing small differences.
            self.register_buffer("factors", _factors(config.schedule, self._deviation), persistent=False)

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, encoder_hidden_states: torch.Tensor | None = None
    ) -> torch.Tensor:
        """`sample` (N, K, h, w) and `timestep` (N,) int64 to epsilon (N, C, h, w).

        K is `config.unet_in_channels`; `encoder_hidden_states` (N, T, D) are the garment's tokens, for a U-Net with
        cross-attention.
        """
        out: torch.Tensor = self.unet(sample, timestep, encoder_hidden_states, return_dict=False)[0]
        if self._deviation is None:
            return out
        root, keep, gain = self.factors.index_select(0, timestep).view(-1, 3, 1, 1).unbind(dim=1)  # type: ignore[operator]
        root, keep, gain = (factor.unsqueeze(1) for factor in (root, keep, gain))
        return keep * (sample[:, self._noisy] - root * sample[:, self._mean]) - gain * out


def alpha_bars(schedule: NoiseSchedule) -> torch.Tensor:
    """Cumulative products of 1 - beta (T,), float32, of the scaled-linear schedule."""
    roots = torch.linspace(
        schedule.beta_start**0.5, schedule.beta_end**0.5, schedule.num_train_timesteps, dtype=torch.float64
    )
    return (1 - roots.square()).cumprod(0).float()


def _factors(schedule: NoiseSchedule, deviation: float) -> torch.Tensor:
    """(T, 3): sqrt(alpha_bar), and the factors of (x_t - sqrt(alpha_bar) c) and of -F in epsilon."""
    alpha_bar = alpha_bars(schedule)
    variance = alpha_bar * deviation**2 + 1 - alpha_bar
    keep = (1 - alpha_bar).sqrt() / variance
    return torch.stack([alpha_bar.sqrt(), keep, deviation * (alpha_bar / variance).sqrt()], dim=1)
