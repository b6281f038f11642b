"""The mean of runs: each weight is the runs' mean, and what a run's networks share they still share."""

from __future__ import annotations

from dataclasses import replace

import torch

from lite_vton.model.networks import Networks, random_networks
from lite_vton.presets.table import preset
from lite_vton_training.demo.averaging import averaged


def run(seed: int) -> list[Networks]:
    torch.manual_seed(seed)
    student, teacher = (random_networks(preset(name)) for name in ("tiny", "tiny-teacher"))
    for module in (student.unet, teacher.unet, student.autoencoder):
        for weight in module.parameters():
            torch.nn.init.normal_(weight)
    return [student, replace(teacher, autoencoder=student.autoencoder)]


def test_the_mean_of_three_runs_is_each_weights_mean_and_the_shared_autoencoder_is_averaged_once() -> None:
    runs = [run(seed) for seed in range(3)]
    unets = [torch.stack([made[at].unet.conv_out.weight.detach() for made in runs]).mean(dim=0) for at in range(2)]
    shared = torch.stack([next(made[0].autoencoder.parameters()).detach() for made in runs]).mean(dim=0)
    student, teacher = averaged(runs)
    torch.testing.assert_close(student.unet.conv_out.weight.detach(), unets[0])
    torch.testing.assert_close(teacher.unet.conv_out.weight.detach(), unets[1])
    torch.testing.assert_close(next(teacher.autoencoder.parameters()).detach(), shared)
    assert teacher.autoencoder is student.autoencoder


def test_the_mean_of_one_run_is_that_run() -> None:
    (made,) = [run(7)]
    before = made[0].unet.conv_out.weight.detach().clone()
    assert torch.equal(averaged([made])[0].unet.conv_out.weight, before)
