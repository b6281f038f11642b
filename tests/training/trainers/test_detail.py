"""The detail that training gives back is what a try-on gives back, and gradients pass through it."""

from __future__ import annotations

import numpy as np
import torch

from lite_vton.tryon.detail import carry_detail as of_one_try_on
from lite_vton_training.trainers.detail import carry_detail


def test_it_is_what_a_try_on_does() -> None:
    drawn = torch.Generator().manual_seed(0)
    for height, width in ((256, 192), (64, 48)):
        painted, composite, reconstruction = (torch.rand(2, 3, height, width, generator=drawn) * 0.5 for _ in range(3))
        found = carry_detail(painted, composite, reconstruction)
        for row in range(2):
            pictures = (each[row : row + 1].numpy() for each in (painted, composite, reconstruction))
            # OpenCV looks a pixel further at some sizes, where the Gaussian has a ten-thousandth left.
            assert np.abs(found[row : row + 1].numpy() - of_one_try_on(*pictures)).max() < 2e-3
        assert (found - painted).abs().max() > 0.05


def test_gradients_reach_everything_that_was_painted() -> None:
    painted, reconstruction = (torch.rand(1, 3, 64, 48, requires_grad=True) for _ in range(2))
    carry_detail(painted, torch.rand(1, 3, 64, 48), reconstruction).square().mean().backward()
    for each in (painted, reconstruction):
        assert each.grad is not None
        assert (each.grad != 0).all()
