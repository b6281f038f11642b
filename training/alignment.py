"""How far a student's features are from its teacher's: one module a kind, trained beside the student and then dropped.

Each is called with the features of both networks at the same taps and returns one scalar, the mean over taps. The
teacher's are standardised first, so that a distance, and with it a weight, means the same at every level: where it
matters, a student that knows nothing but the mean is at distance 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional

from lite_vton.errors import UserError
from training.taps import Features

__all__ = [
    "CrossAttentionAlignment",
    "Factors",
    "Hints",
    "Relations",
    "factor_distance",
    "relation_angle",
    "relation_distance",
    "square_distances",
    "standardised",
    "windows",
]

FULL_ATTENTION = 32 * 24
"""Positions up to which every one attends to every other; maps with more are cut into windows of at most as many."""

PROJECTION = 64
"""Most channels of queries and keys: a large projection can fit the teacher whatever the student computes."""

NEARNESS = 2.0
"""A placed position begins by giving itself three fifths of its attention, its four neighbours a twelfth each."""

FACTOR_RATE = 0.5
"""Channels of a factor per channel of the teacher (Kim et al. 2018, section 4)."""


class Hints(nn.Module):
    """FitNets (Romero et al. 2015, arXiv:1412.6550): the squared error of a 1x1 regression on the student's."""

    def __init__(self, student: dict[str, int], teacher: dict[str, int]) -> None:
        super().__init__()
        self.regressors = nn.ModuleDict({tap: nn.Conv2d(width, teacher[tap], 1) for tap, width in student.items()})

    def forward(self, student: Features, teacher: Features) -> torch.Tensor:
        """Both (N, C, h, w) at each tap, of their own widths."""
        return _mean(
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
        return 2 * _mean(terms)


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
        return _mean(terms)


class CrossAttentionAlignment(nn.Module):
    """The paper's cross-attention alignment distillation, as far as it is known (ours where it is not).

    At each tap Q = 1x1(teacher), K and V = 1x1(student); softmax(Q K^T / sqrt d) V, where the teacher looks for its
    features among the student's, is compared with the teacher's own (mean squared error). Attention is full where a
    level has at most 32 x 24 positions, and within windows of at most as many above.

    A module that can attend anywhere could satisfy its own loss beside a student that learns nothing: hence few
    channels for queries and keys, and never without output distillation (see `training.losses.DISTILLATIONS`).
    """

    def __init__(
        self,
        student: dict[str, int],
        teacher: dict[str, int],
        *,
        positions: int = FULL_ATTENTION,
        sharpness: float | None = None,
        placed: bool = False,
    ) -> None:
        """`positions` is the most a window has.

        `placed` takes the square of the distance from logits, times a rate that is learned (after ALiBi, Press et al.
        2022, arXiv:2108.12409, in two dimensions): without it attention knows nothing of where a position is, though
        both networks' features of a place are at that place. `sharpness` makes logits cosines times so much (as in
        Swin v2, Liu et al. 2022, arXiv:2111.09883); None takes the inner products over sqrt(d), which random
        projections make so small that every position is looked at alike: the mean over the window, which tells the
        teacher's positions nothing.
        """
        super().__init__()
        self._positions, self._sharpness = positions, sharpness
        self.nearness = nn.ParameterDict({tap: torch.tensor(NEARNESS) for tap in student if placed})
        width = {tap: min(PROJECTION, teacher[tap], student[tap]) for tap in student}
        self.query = nn.ModuleDict({tap: nn.Conv2d(teacher[tap], width[tap], 1) for tap in student})
        self.key = nn.ModuleDict({tap: nn.Conv2d(student[tap], width[tap], 1) for tap in student})
        self.value = nn.ModuleDict({tap: nn.Conv2d(student[tap], teacher[tap], 1) for tap in student})

    def forward(self, student: Features, teacher: Features) -> torch.Tensor:
        """Both (N, C, h, w) at each tap, of their own widths."""
        terms = []
        for tap in self.query:
            q, k, v, wanted, far = self._windows(tap, student, teacher)
            found = functional.scaled_dot_product_attention(q, k, v, attn_mask=far, scale=self._sharpness)
            terms.append(functional.mse_loss(found.float(), wanted))
        return _mean(terms)

    @torch.no_grad()
    def attended(self, student: Features, teacher: Features) -> dict[str, float]:
        """By tap the share of a window's positions that one looks at, effectively: the exponential of the entropy.

        1 where all are looked at alike, 1 over their number where it is a single one.
        """
        shares = {}
        for tap in self.query:
            q, k, _, _, far = self._windows(tap, student, teacher)
            logits = (q @ k.mT).float() * (self._sharpness or q.shape[-1] ** -0.5)
            attention = (logits if far is None else logits + far).softmax(dim=-1)
            entropy = torch.special.entr(attention).sum(dim=-1)
            shares[tap] = float(entropy.exp().mean()) / attention.shape[-1]
        return shares

    def _windows(
        self, tap: str, student: Features, teacher: Features
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Queries, keys, values and what is wanted, cut into windows, and what distance takes from the logits."""
        taught = standardised(teacher[tap])
        q, k, v = self.query[tap](taught), self.key[tap](student[tap]), self.value[tap](student[tap])
        if self._sharpness is not None:
            q, k = (functional.normalize(feature, dim=1).to(v.dtype) for feature in (q, k))
        q, k, v, wanted = (windows(feature, self._positions) for feature in (q, k, v, taught))
        if tap not in self.nearness:
            return q, k, v, wanted, None
        height, width = taught.shape[2:]
        apart = square_distances(height, width, self._positions).to(q)
        return q, k, v, wanted, -self.nearness[tap].abs().to(q) * apart


@torch.no_grad()
def standardised(feature: torch.Tensor) -> torch.Tensor:
    """Each channel of `feature` (N, C, h, w) at mean 0 and deviation 1 over the batch and its positions, float32.

    With several processes, over all their shares of the batch; parts of an accumulated gradient have their own each.
    A channel that never changes becomes 0.
    """
    feature = feature.float()
    mean = _over_processes(feature.mean(dim=(0, 2, 3), keepdim=True))
    variance = _over_processes((feature - mean).square().mean(dim=(0, 2, 3), keepdim=True))
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


def windows(feature: torch.Tensor, positions: int = FULL_ATTENTION) -> torch.Tensor:
    """(N, C, h, w) to (N * windows, n, C): as few equal windows as give each at most so many positions n."""
    height, width = feature.shape[2:]
    rows, columns = _cuts(height, width, positions)
    cut = feature.reshape(*feature.shape[:2], rows, height // rows, columns, width // columns)
    return cut.permute(0, 2, 4, 3, 5, 1).flatten(3, 4).flatten(0, 2)


def square_distances(height: int, width: int, positions: int = FULL_ATTENTION) -> torch.Tensor:
    """(n, n) squares of the distances between the positions of one of `windows`, in positions."""
    rows, columns = _cuts(height, width, positions)
    y, x = torch.meshgrid(torch.arange(height // rows), torch.arange(width // columns), indexing="ij")
    y, x = y.flatten(), x.flatten()
    return (y[:, None] - y).square() + (x[:, None] - x).square()


def _cuts(height: int, width: int, positions: int) -> tuple[int, int]:
    """Into how many equal parts a map is cut along its height and its width; square-ish windows first."""
    fitting = [
        (rows, columns)
        for rows in range(1, height + 1)
        for columns in range(1, width + 1)
        if height % rows == 0 and width % columns == 0 and height * width <= positions * rows * columns
    ]
    return min(fitting, key=lambda cut: (cut[0] * cut[1], abs(height / cut[0] - width / cut[1])))


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


def _over_processes(mean: torch.Tensor) -> torch.Tensor:
    """The mean over all processes of a distributed run; their shares are equal."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(mean)
        mean /= torch.distributed.get_world_size()
    return mean


def _mean(terms: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(terms)).mean()
