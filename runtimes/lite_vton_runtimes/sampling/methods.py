"""How one sampling step goes from x_t to the next, less noisy sample: one short function per method.

Notation as in the papers: alpha_bar is the signal's share of variance (1 when clean), eps the predicted noise,
sigma = sqrt((1 - alpha_bar) / alpha_bar) the noise level in variance-exploding space. All coefficients are Python
floats, so float32 samples stay float32 whatever the numpy version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, log, sqrt
from types import MappingProxyType

from lite_vton_runtimes.base import Array

__all__ = ["METHODS", "Transition", "Update"]


@dataclass(frozen=True)
class Transition:
    """One step to take: what is known at timestep `t`, and the level `alpha_bar_prev` to reach (1 at the end).

    Arrays are (1, C, h, w) float32. `x_0` is the clean sample that `eps` implies. `x_0_before` and
    `alpha_bar_before` are those of the step before, None on the first.
    """

    t: int
    x_t: Array
    eps: Array
    x_0: Array
    alpha_bar: float
    alpha_bar_prev: float
    x_0_before: Array | None
    alpha_bar_before: float | None

    @property
    def last(self) -> bool:
        """Whether the next sample is the clean one."""
        return self.alpha_bar_prev == 1.0


Update = Callable[[Transition, Callable[[], Array]], Array]
"""From a transition and a source of noise (called at most once) to x_prev, the next sample."""


def _ddpm(s: Transition, noise: Callable[[], Array]) -> Array:
    """Ancestral sampling with the small fixed variance; arXiv:2006.11239, eq. 6 and 7."""
    if s.last:
        return s.x_0
    alpha = s.alpha_bar / s.alpha_bar_prev
    scale = 1.0 / (1.0 - s.alpha_bar)
    mean_x_0 = sqrt(s.alpha_bar_prev) * (1.0 - alpha) * scale
    mean_x_t = sqrt(alpha) * (1.0 - s.alpha_bar_prev) * scale
    variance = (1.0 - s.alpha_bar_prev) * (1.0 - alpha) * scale
    x_prev: Array = mean_x_0 * s.x_0 + mean_x_t * s.x_t + sqrt(variance) * noise()
    return x_prev


def _ddim(s: Transition, _noise: Callable[[], Array]) -> Array:
    """Deterministic, eta = 0; arXiv:2010.02502, eq. 12."""
    return sqrt(s.alpha_bar_prev) * s.x_0 + sqrt(1.0 - s.alpha_bar_prev) * s.eps


def _euler(s: Transition, _noise: Callable[[], Array]) -> Array:
    """Euler's step of the probability-flow ODE in variance-exploding space; arXiv:2206.00364, eq. 1, no churn.

    The network and the loop see variance-preserving samples, so this scales by sqrt(sigma^2 + 1) on the way in and
    out. In exact arithmetic that is DDIM again.
    """
    sigma = sqrt((1.0 - s.alpha_bar) / s.alpha_bar)
    sigma_prev = sqrt((1.0 - s.alpha_bar_prev) / s.alpha_bar_prev)
    x_prev = sqrt(sigma**2 + 1.0) * s.x_t + (sigma_prev - sigma) * s.eps
    return x_prev / sqrt(sigma_prev**2 + 1.0)


def _dpmsolver_pp(s: Transition, noise: Callable[[], Array]) -> Array:
    """DPM-Solver++(2M), midpoint; arXiv:2211.01095, algorithm 2.

    The first step has no predecessor and the last no finite log-SNR to reach: both are of first order, which is DDIM.
    """
    if s.last or s.x_0_before is None or s.alpha_bar_before is None:
        return _ddim(s, noise)
    h = _log_snr(s.alpha_bar_prev) - _log_snr(s.alpha_bar)
    h_before = _log_snr(s.alpha_bar) - _log_snr(s.alpha_bar_before)
    slope = (s.x_0 - s.x_0_before) * (h / h_before)
    decay = sqrt((1.0 - s.alpha_bar_prev) / (1.0 - s.alpha_bar))
    return decay * s.x_t + sqrt(s.alpha_bar_prev) * (1.0 - exp(-h)) * (s.x_0 + 0.5 * slope)


def _lcm(s: Transition, noise: Callable[[], Array]) -> Array:
    """Multistep consistency sampling; arXiv:2310.04378, algorithm 3, boundary scalings as in diffusers."""
    sigma_data, scaled_t = 0.5, 10.0 * s.t
    c_skip = sigma_data**2 / (scaled_t**2 + sigma_data**2)
    c_out = scaled_t / sqrt(scaled_t**2 + sigma_data**2)
    denoised = c_out * s.x_0 + c_skip * s.x_t
    if s.last:
        return denoised
    return sqrt(s.alpha_bar_prev) * denoised + sqrt(1.0 - s.alpha_bar_prev) * noise()


def _log_snr(level: float) -> float:
    """Half the log of the signal-to-noise ratio, lambda in DPM-Solver's papers."""
    return 0.5 * log(level / (1.0 - level))


METHODS: Mapping[str, Update] = MappingProxyType(
    {
        "ddpm": _ddpm,
        "ddim": _ddim,
        "euler": _euler,
        "dpmsolver++": _dpmsolver_pp,
        "lcm": _lcm,
    }
)
"""Every sampling method by the name users give. Only `ddpm` and `lcm` draw noise after the start."""
