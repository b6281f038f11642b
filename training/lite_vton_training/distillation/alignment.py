"""How far a student's features are from its teacher's: one module a kind, trained beside the student and then dropped.

Each is called with the features of both networks at the same taps and returns one scalar, the mean over taps. The
teacher's are standardised first, so that a distance, and with it a weight, means the same at every level: where it
matters, a student that knows nothing but the mean is at distance 1. The paper's own kind, CAAD, has a file of its own
(`lite_vton_training.distillation.cross_attention`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional

from lite_vton.errors import UserError
from lite_vton_training.distillation.taps import Features

__all__ = [
    "Factors",
    "Hints",
    "Relations",
    "factor_distance",
    "mean_over_taps",
    "relation_angle",
    "relation_distance",
    "standardised",
]

FACTOR_RATE = 0.5
"""Channels of a factor per channel of the teacher (Kim et al. 2018, section 4)."""


class Hints(nn.Module):
    """FitNets (Romero et al. 2015, arXiv:1412.6550): the squared error of a 1x1 regression on the student's."""

    def __init__(self, student: dict[str, int], teacher: dict[str, int]) -> None:
        super().__init__()
        self.regressors = nn.ModuleDict({tap: nn.Conv2d(width, teacher[tap], 1) for tap, width in student.items()})

    def forward(self, student: Features, teacher: Features) -> torch.Tensor:
        """Both (N, C, h, w) at each tap, of their own widths."""
        return mean_over_taps(
            functional.mse_loss(regress(student[tap]).float(), standardised(teacher[tap]))
            for tap, regress in self.regressors.items()
        )


class Factors(nn.Module):
    """Factor transfer (Kim et al. 2018, arXiv:1802.04977), in small.

    A paraphraser boils the teacher's features down to factors, a translator makes the same of the student's. There
    each has three convolutions and the paraphraser is trained first; here each has one, and the paraphraser learns to
    restore the teacher's features beside the student, which its own error does not reach.
    """

    def __init__(self, student: dict[str, int], teacher: dict[str, int]) -> None:
        super().__init__()
        factors = {tap: max(1, round(FACTOR_RATE * width)) for tap, width in teacher.items()}
        self.paraphrase = nn.ModuleDict({tap: _factor(teacher[tap], factors[tap]) for tap in student})
        self.restore = nn.ModuleDict({tap: nn.Conv2d(factors[tap], teacher[tap], 1) for tap in student})
        self.translate = nn.ModuleDict({tap: _factor(width, factors[tap]) for tap, width in student.items()})

    def forward(self, student: Features, teacher: Features) -> torch.Tensor:
        """Distance of the factors, plus the paraphraser's own error in restoring the teacher's features."""
        terms = []
        for tap, translate in self.translate.items():
            taught = standardised(teacher[tap])
            factor = self.paraphrase[tap](taught)
            terms.append(functional.mse_loss(self.restore[tap](factor).float(), taught))
            terms.append(factor_distance(translate(student[tap]).float(), factor.detach().float()))
        return 2 * mean_over_taps(terms)


class Relations(nn.Module):
    """Relational distillation (Park et al. 2019, arXiv:1904.05068): distances and angles between a batch's samples.

    Nothing to train: widths may differ, since only relations are compared. Angles count twice, as there. Samples are
    compared within a process's part of the batch alone.
    """

    def __init__(self, student: dict[str, int], teacher: dict[str, int]) -> None:
        super().__init__()
        assert student.keys() == teacher.keys()
        self.taps = tuple(student)

    def forward(self, student: Features, teacher: Features) -> torch.Tensor:
        """Raises `UserError` for a batch of one, which has no relations; angles need three samples."""
        terms = []
        for tap in self.taps:
            mine, taught = _gram(student[tap].float()), _gram(standardised(teacher[tap]))
            terms.append(relation_distance(mine, taught) + 2 * relation_angle(mine, taught))
        return mean_over_taps(terms)


@torch.no_grad()
def standardised(feature: torch.Tensor, *, together: bool = True) -> torch.Tensor:
    """Each channel of `feature` (N, C, h, w) at mean 0 and deviation 1 over the batch and its positions, float32.

    With several processes, over all their shares of the batch, unless not `together`: what one process alone looks at
    has to be measured alone, for the others would not answer. Parts of an accumulated gradient have their own each.
    A channel that never changes becomes 0.
    """
    feature = feature.float()
    over_all = _over_processes if together else _alone
    mean = over_all(feature.mean(dim=(0, 2, 3), keepdim=True))
    variance = over_all((feature - mean).square().mean(dim=(0, 2, 3), keepdim=True))
    return (feature - mean) * (variance + 1e-6 * variance.mean() + 1e-12).rsqrt()


def factor_distance(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of the factors (N, C, h, w), each sample's scaled to a mean square of 1."""

    def scaled(factor: torch.Tensor) -> torch.Tensor:
        flat = factor.flatten(1)
        return functional.normalize(flat, dim=1) * math.sqrt(flat.shape[1])

    return (scaled(student) - scaled(teacher)).abs().mean()


def relation_distance(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Huber loss between the distances of each two samples, in units of their mean (RKD-D, eq. 4); of Gram matrices."""
    pairs = ~torch.eye(len(student), dtype=torch.bool, device=student.device)
    mine, taught = (_distances(gram)[pairs] for gram in (student, teacher))
    return functional.smooth_l1_loss(mine / mine.mean(), taught / taught.mean())


def relation_angle(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Huber loss between the cosines of the angles any three samples form (RKD-A, eq. 6); of Gram matrices."""
    if len(student) < 3:
        return student.new_zeros(())
    i, j, k = torch.meshgrid(*3 * [torch.arange(len(student), device=student.device)], indexing="ij")
    apart = (i != j) & (j != k) & (i != k)
    return functional.smooth_l1_loss(_cosines(student)[apart], _cosines(teacher)[apart])


def _factor(width: int, factors: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, factors, 1), nn.LeakyReLU(0.1))


def _gram(feature: torch.Tensor) -> torch.Tensor:
    """(N, N) inner products of the samples around their mean: all that distances and angles depend on."""
    if len(feature) < 2:
        raise UserError("relations need at least two samples in a batch: raise the batch size")
    flat = feature.flatten(1)
    flat = flat - flat.mean(dim=0)  # keeps differences of large, similar features exact
    with torch.autocast(flat.device.type, enabled=False):
        return flat @ flat.T


def _distances(gram: torch.Tensor) -> torch.Tensor:
    norms = gram.diagonal()
    squares = norms.unsqueeze(0) + norms.unsqueeze(1) - 2 * gram
    return squares.clamp(min=1e-12).sqrt()  # the root has no gradient at 0


def _cosines(gram: torch.Tensor) -> torch.Tensor:
    """(N, N, N): at i, j, k the cosine of the angle at sample j between samples i and k."""
    distance = _distances(gram)
    inner = gram.unsqueeze(1) - gram.unsqueeze(2) - gram.unsqueeze(0) + gram.diagonal().view(1, -1, 1)
    return inner / (distance.unsqueeze(2) * distance.unsqueeze(0))


def _alone(mean: torch.Tensor) -> torch.Tensor:
    return mean


def _over_processes(mean: torch.Tensor) -> torch.Tensor:
    """The mean over all processes of a distributed run; their shares are equal."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(mean)
        mean /= torch.distributed.get_world_size()
    return mean


def mean_over_taps(terms: Iterable[torch.Tensor]) -> torch.Tensor:
    """What an alignment answers with: the mean of the taps' scalars."""
    return torch.stack(list(terms)).mean()
