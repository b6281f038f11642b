"""Loss terms of the denoiser, and which of them each kind of distillation adds.

A term is a function of one batch's `Prediction`. A new way to distil is a new term and a new row of
`DISTILLATIONS`; the loop does not change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lite_vton.errors import UserError

__all__ = ["DISTILLATIONS", "Prediction", "Term", "distillation", "noise_term", "output_term"]


@dataclass(frozen=True)
class Prediction:
    """One batch as the losses see it. All but `weight` are (N, 4, h, w).

    `weight` (N, 1, h, w) balances timesteps and positions: min-SNR over time, the repaint region over the rest.
    """

    eps: torch.Tensor
    eps_student: torch.Tensor
    eps_teacher: torch.Tensor | None
    weight: torch.Tensor


Term = Callable[[Prediction], torch.Tensor]


def noise_term(prediction: Prediction) -> torch.Tensor:
    """MSE between the noise and what the network says it is (DDPM, Ho et al. 2020, eq. 14), weighted."""
    return (prediction.weight * (prediction.eps_student - prediction.eps).square()).mean()


def output_term(prediction: Prediction) -> torch.Tensor:
    """MSE between the student's epsilon and the teacher's (the paper's case 2), weighted."""
    if prediction.eps_teacher is None:
        raise UserError("output distillation needs a teacher: give one, or distil with 'none'")
    return (prediction.weight * (prediction.eps_student - prediction.eps_teacher).square()).mean()


DISTILLATIONS: dict[str, dict[str, Term]] = {
    "none": {"noise": noise_term},
    "output": {"noise": noise_term, "output": output_term},
}
"""Case 1 and case 2 of the paper's distillation table; their terms are added with weight one."""


def distillation(name: str) -> dict[str, Term]:
    """The terms of one kind of distillation; a `UserError` names the kinds there are."""
    if name not in DISTILLATIONS:
        raise UserError(f"unknown distillation {name!r}: choose one of {', '.join(DISTILLATIONS)}")
    return DISTILLATIONS[name]
