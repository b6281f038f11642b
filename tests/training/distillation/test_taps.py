"""Features come from the ends of levels, of both networks alike, and asking for them leaves no trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lite_vton.errors import UserError
from lite_vton.model.unet import build_unet
from lite_vton.presets.table import preset
from lite_vton_training.distillation.similarity import linear_cka
from lite_vton_training.distillation.taps import matching_taps, tap_widths, tapped

DEMO, TEACHER = preset("demo"), preset("demo-teacher")


def test_taps_have_the_sizes_of_their_levels_in_networks_of_any_width_and_depth() -> None:
    student, teacher = build_unet(DEMO), build_unet(TEACHER)
    taps = matching_taps(student, teacher)
    assert taps == ["down0", "down1", "down2", "up2", "up1", "up0"]
    for unet in (student, teacher):
        with torch.no_grad(), tapped(unet, taps) as features:
            unet(torch.randn(2, DEMO.unet_in_channels, 16, 8), torch.tensor([1, 2]), None)
        shapes = {tap: tuple(feature.shape) for tap, feature in features.items()}
        widths = tap_widths(unet)
        assert shapes == {tap: (2, widths[tap], 16 >> int(tap[-1]), 8 >> int(tap[-1])) for tap in taps}


def test_the_last_tap_is_what_the_output_is_made_of() -> None:
    unet = build_unet(DEMO).eval()
    with torch.no_grad(), tapped(unet, ["up0"]) as features:
        out = unet(torch.randn(1, DEMO.unet_in_channels, 8, 8), torch.tensor([5]), None, return_dict=False)[0]
        again = unet.conv_out(unet.conv_act(unet.conv_norm_out(features["up0"])))
    assert torch.equal(out, again)


def test_no_hook_outlives_its_context() -> None:
    unet = build_unet(DEMO)
    with pytest.raises(ZeroDivisionError), tapped(unet, tap_widths(unet)):
        raise ZeroDivisionError
    assert not any(module._forward_hooks for module in unet.modules())


def test_levels_that_do_not_match_are_refused() -> None:
    teacher = build_unet(TEACHER)
    two_levels = replace(DEMO.unet, channels=(64, 96), layers_per_block=(1, 1), attention=(False, True))
    short = build_unet(replace(DEMO, unet=two_levels))
    with pytest.raises(UserError, match="numbers of levels"):
        matching_taps(short, teacher)
    assert matching_taps(build_unet(DEMO), teacher, ["up0", "down2"]) == ["down2", "up0"]
    with pytest.raises(UserError, match="no tap 'down7'"):
        matching_taps(build_unet(DEMO), teacher, ["down7"])


def test_cka_is_1_for_rotated_and_scaled_channels_and_low_for_unrelated_ones() -> None:
    torch.manual_seed(0)
    feature, unrelated = torch.randn(4, 6, 8, 8), torch.randn(4, 9, 8, 8)
    rotation = torch.linalg.qr(torch.randn(6, 6)).Q
    turned = 3 * torch.einsum("nchw,cd->ndhw", feature, rotation) + 5
    assert linear_cka(feature, turned) == pytest.approx(1.0, abs=1e-6)
    assert linear_cka(feature, unrelated) < 0.1
    assert linear_cka(feature, torch.ones_like(feature)) == 0.0


def test_cka_is_the_papers() -> None:
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) on centred Gram matrices of the examples."""
    torch.manual_seed(0)
    x, y = torch.randn(10, 3, 1, 1, dtype=torch.float64), torch.randn(10, 5, 1, 1, dtype=torch.float64)
    centre = torch.eye(10, dtype=torch.float64) - 0.1
    k, l = (centre @ f.flatten(1) @ f.flatten(1).T @ centre for f in (x, y))  # noqa: E741
    wanted = (k * l).sum() / ((k * k).sum() * (l * l).sum()).sqrt()
    assert linear_cka(x, y) == pytest.approx(wanted.item())
