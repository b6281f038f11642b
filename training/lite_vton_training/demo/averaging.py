"""The mean of networks that began alike and went on in different orders: better than any of them, at one's cost.

"Model soups", Wortsman et al. 2022, arXiv:2203.05482.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from lite_vton.model.networks import Networks

__all__ = ["averaged"]


def averaged(runs: Sequence[Sequence[Networks]]) -> list[Networks]:
    """For each place of a run, the mean of what the runs have there, written into the first run's networks.

    Autoencoder and U-Net are averaged each by itself; what a run's networks share they still share.
    """
    parts = [_parts(run) for run in runs]
    with torch.no_grad():
        for same in zip(*parts, strict=True):
            states = [module.state_dict() for module in same]
            for name, tensor in states[0].items():
                if tensor.is_floating_point():
                    tensor.copy_(torch.stack([state[name] for state in states]).mean(dim=0))
    return list(runs[0])


def _parts(run: Sequence[Networks]) -> list[nn.Module]:
    """Each module once."""
    modules: list[nn.Module] = [each for networks in run for each in (networks.autoencoder, networks.unet)]
    return list({id(module): module for module in modules}.values())
