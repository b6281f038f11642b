"""What importing half precision takes: memory about the size of the file, and not a word from libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.lite_vton.model.their_checkpoints import original, their_unet

MEASURED = """
import re, sys
from pathlib import Path
from lite_vton.model.importing.networks import import_weights
from lite_vton.presets.table import preset
from dataclasses import replace

def peak():  # KiB; getrusage's would be the parent's, where that was larger
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])


kl = preset("tiny-kl")
shape = replace(kl.unet, channels=(128, 192), norm_groups=32)
config = replace(kl, unet=shape)
source, small, output = map(Path, sys.argv[1:])
import_weights(small, kl).write(output / "a.safetensors", output / "b.safetensors")  # what importing itself takes
before = peak()
import_weights(source, config).write(output / "autoencoder.safetensors", output / "unet.safetensors")
print((peak() - before) * 1024 / source.stat().st_size)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a process's peak is read from /proc")
def test_half_precision_takes_at_most_its_own_size_and_three_tenths(tmp_path: Path) -> None:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    large = UNet2DConditionModel(
        in_channels=4,
        block_out_channels=(128, 192),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        attention_head_dim=2,
        norm_num_groups=32,
        cross_attention_dim=24,
    ).half()
    weights = {name: weight.half() for name, weight in original(large).items()}
    save_file(weights, tmp_path / "model.safetensors")
    save_file(original(their_unet(4)), tmp_path / "small.safetensors")
    files = (str(tmp_path / name) for name in ("model.safetensors", "small.safetensors", "."))
    words = [sys.executable, "-c", MEASURED, *files]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert 0.5 < float(done.stdout) <= 1.3
