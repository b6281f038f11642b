"""Loss terms of the denoiser, and which of them each kind of distillation adds.

A term is a function of one batch's `Prediction`. A new way to distil is a new term or a new module that compares
features (`lite_vton_training.distillation.alignment`), and a new row of `DISTILLATIONS`; the loop does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of
from lite_vton_training.distillation.alignment import Factors, Hints, Relations
from lite_vton_training.distillation.cross_attention import CrossAttentionAlignment

__all__ = [
    "DISTILLATIONS",
    "Distillation",
    "LossConfig",
    "Prediction",
    "Term",
    "distillation",
    "feature_term",
    "noise_term",
    "output_term",
]


@dataclass(frozen=True)
class Prediction:
    """One batch as the losses see it. The first three are (N, C, h, w).

    `weight` (N, 1, h, w) balances timesteps and positions: min-SNR over time, the repaint region over the rest.
    `feature_distance` is a scalar, the output of the kind's alignment; see `lite_vton_training.distillation.alignment`.
    """

    eps: torch.Tensor
    eps_student: torch.Tensor
    eps_teacher: torch.Tensor | None
    weight: torch.Tensor
    feature_distance: torch.Tensor | None = None


Term = Callable[[Prediction], torch.Tensor]
Alignment = Callable[[dict[str, int], dict[str, int]], nn.Module]
"""Makes the module that compares features, from the student's and the teacher's channels at each tap."""


def noise_term(prediction: Prediction) -> torch.Tensor:
    """MSE between the noise and what the network says it is (DDPM, Ho et al. 2020, eq. 14), weighted."""
    return (prediction.weight * (prediction.eps_student - prediction.eps).square()).mean()


def output_term(prediction: Prediction) -> torch.Tensor:
    """MSE between the student's epsilon and the teacher's (the paper's case 2), weighted."""
    if prediction.eps_teacher is None:
        raise UserError("output distillation needs a teacher: give one, or distil with 'none'")
    return (prediction.weight * (prediction.eps_student - prediction.eps_teacher).square()).mean()


def feature_term(prediction: Prediction) -> torch.Tensor:
    """What the alignment made of both networks' features (the paper's cases 3 and 4)."""
    if prediction.feature_distance is None:
        raise UserError("feature distillation needs a teacher: give one, or distil with 'none'")
    return prediction.feature_distance


@dataclass(frozen=True)
class Distillation:
    """Terms by name, and the module that compares features where there is one."""

    terms: Mapping[str, Term]
    alignment: Alignment | None = None


LOCAL_POSITIONS = 8 * 6
"""Of a window of caad-local at every level: as many as the whole of the demo models' lowest level has."""

SHARPNESS = 16.0
"""Of caad-sharp: cosines of 64 random channels deviate by 1/8 from 0, so logits begin with a deviation of 2."""

_OUTPUT: Mapping[str, Term] = {"noise": noise_term, "output": output_term}
_FEATURE: Mapping[str, Term] = {**_OUTPUT, "feature": feature_term}

DISTILLATIONS: dict[str, Distillation] = {
    "none": Distillation({"noise": noise_term}),
    "output": Distillation(_OUTPUT),
    "feature": Distillation(_FEATURE, Hints),
    "factor": Distillation(_FEATURE, Factors),
    "relation": Distillation(_FEATURE, Relations),
    "caad": Distillation(_FEATURE, CrossAttentionAlignment),
    "caad-local": Distillation(_FEATURE, partial(CrossAttentionAlignment, positions=LOCAL_POSITIONS)),
    "caad-placed": Distillation(_FEATURE, partial(CrossAttentionAlignment, placed=True)),
    "caad-sharp": Distillation(_FEATURE, partial(CrossAttentionAlignment, sharpness=SHARPNESS)),
}
"""none, output, feature and caad are cases 1 to 4 of the paper's distillation table; output distillation is the base
of whatever compares features. The last three are CAAD with one thing changed, to find out what holds it back."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms, and where features are compared. Saved with the run.

    `taps` are names of `lite_vton_training.distillation.taps`, none of them meaning all. Every `similarity_every` steps
    (0: never) the log receives the CKA of student and teacher at each tap.
    """

    noise: float = 1.0
    output: float = 1.0
    feature: float = 0.1
    taps: tuple[str, ...] = ()
    similarity_every: int = 0

    def weighted(self, kind: Distillation, prediction: Prediction) -> dict[str, torch.Tensor]:
        """The terms of `kind`, times their weights."""
        return {name: getattr(self, name) * term(prediction) for name, term in kind.terms.items()}


def distillation(name: str) -> Distillation:
    """One kind of distillation; a `UserError` names the kinds there are."""
    return DISTILLATIONS[one_of("distillation", name, DISTILLATIONS)]
