"""The choices of a leaner U-Net: each within the paper's bounds; the activation a preset names; the page of figures."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from lite_vton.model.unet import build_unet
from lite_vton.presets.table import preset

TOOL = Path(__file__).parents[2] / "benchmarks/unet_choices.py"


@pytest.mark.slow
def test_every_choice_keeps_within_the_papers_bounds() -> None:
    ran = subprocess.run([sys.executable, TOOL, "count"], capture_output=True, text=True, check=True)
    lines = ran.stdout.splitlines()
    assert len(lines) >= 5
    assert [line for line in lines if not line.endswith(", within the paper's bounds")] == []


def activated(name: str) -> UNet2DConditionModel:
    tiny = preset("tiny")
    unet: UNet2DConditionModel = build_unet(replace(tiny, unet=replace(tiny.unet, activation=name)))
    return unet


@pytest.mark.parametrize(("name", "kind"), [("silu", nn.SiLU), ("relu", nn.ReLU)])
def test_the_activation_is_the_presets(name: str, kind: type[nn.Module]) -> None:
    unet = activated(name)
    found = {type(module) for module in unet.modules() if isinstance(module, nn.SiLU | nn.ReLU)}
    # The timestep's embedding is a network of its own; diffusers gives it the same.
    assert found == {kind}


def test_the_activation_is_computed() -> None:
    made = []
    for name in ("silu", "relu"):
        torch.manual_seed(0)
        made.append(activated(name).eval())
    sample, timestep = torch.randn(1, preset("tiny").unet_in_channels, 16, 12), torch.tensor([10])
    with torch.no_grad():
        silu, relu = (unet(sample, timestep, None, return_dict=False)[0] for unet in made)
    assert not torch.allclose(silu, relu, atol=1e-3)


def test_a_page_shows_what_was_found_and_leaves_out_what_was_not(tmp_path: Path) -> None:
    sys.path.insert(0, str(TOOL.parent))
    try:
        from unet_page import tables  # type: ignore[import-not-found]  # scripts beside each other, no package
    finally:
        sys.path.remove(str(TOOL.parent))
    file = tmp_path / "lean/0/quality.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"psnr_in_mask": 16.1, "ssim": 0.83, "psnr_to_teacher": 18.4, "parameters": 4e6}))
    text = tables([("lean", "less of it"), ("other", "more of it")], tmp_path)
    assert "| lean | 1 | 16.10 | 0.8300 | 18.40 | 4.00 |" in text
    assert "| other | more of it |" in text
    assert "Full size" not in text
