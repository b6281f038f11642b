"""Cross-attention alignment distillation (CAAD), the paper's own way to compare features; as those of `alignment`."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from lite_vton_training.distillation.alignment import mean_over_taps, standardised
from lite_vton_training.distillation.taps import Features

__all__ = ["CrossAttentionAlignment", "square_distances", "windows"]

FULL_ATTENTION = 32 * 24
"""Positions up to which every one attends to every other; maps with more are cut into windows of at most as many."""

PROJECTION = 64
"""Most channels of queries and keys: a large projection can fit the teacher whatever the student computes."""

NEARNESS = 2.0
"""A placed position begins by giving itself three fifths of its attention, its four neighbours a twelfth each."""


class CrossAttentionAlignment(nn.Module):
    """The paper's cross-attention alignment distillation, as far as it is known (ours where it is not).

    At each tap Q = 1x1(teacher), K and V = 1x1(student); softmax(Q K^T / sqrt d) V, where the teacher looks for its
    features among the student's, is compared with the teacher's own (mean squared error). Attention is full where a
    level has at most 32 x 24 positions, and within windows of at most as many above.

    A module that can attend anywhere could satisfy its own loss beside a student that learns nothing: hence few
    channels for queries and keys, and never without output distillation (see
    `lite_vton_training.trainers.losses.DISTILLATIONS`).
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
        return mean_over_taps(terms)

    @torch.no_grad()
    def attended(self, student: Features, teacher: Features) -> dict[str, float]:
        """By tap the share of a window's positions that one looks at, effectively: the exponential of the entropy.

        1 where all are looked at alike, 1 over their number where it is a single one. Of these features alone: one
        process of several may ask.
        """
        shares = {}
        for tap in self.query:
            q, k, _, _, far = self._windows(tap, student, teacher, together=False)
            logits = (q @ k.mT).float() * (self._sharpness or q.shape[-1] ** -0.5)
            attention = (logits if far is None else logits + far).softmax(dim=-1)
            entropy = torch.special.entr(attention).sum(dim=-1)
            shares[tap] = float(entropy.exp().mean()) / attention.shape[-1]
        return shares

    def _windows(
        self, tap: str, student: Features, teacher: Features, together: bool = True
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Queries, keys, values and what is wanted, cut into windows, and what distance takes from the logits."""
        taught = standardised(teacher[tap], together=together)
        q, k, v = self.query[tap](taught), self.key[tap](student[tap]), self.value[tap](student[tap])
        if self._sharpness is not None:
            q, k = (functional.normalize(feature, dim=1).to(v.dtype) for feature in (q, k))
        q, k, v, wanted = (windows(feature, self._positions) for feature in (q, k, v, taught))
        if tap not in self.nearness:
            return q, k, v, wanted, None
        height, width = taught.shape[2:]
        apart = square_distances(height, width, self._positions).to(q)
        return q, k, v, wanted, -self.nearness[tap].abs().to(q) * apart


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
