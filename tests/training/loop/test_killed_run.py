"""A run ended with SIGKILL goes on to the weights of one that was left alone; this file is also what is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from lite_vton.model.denoiser import Denoiser
from lite_vton.model.unet import build_unet
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.dataset.shards import LatentShards, ShardedLatents
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.trainers.denoiser import train_denoiser
from lite_vton_training.trainers.losses import LossConfig

pytestmark = pytest.mark.slow

LOOP = LoopConfig(steps=12, batch_size=2, learning_rate=1e-3, warmup_steps=2, checkpoint_every=2)


def run(folder: Path, kept: str, *, resume: bool, seconds_per_step: float = 0.0) -> UNet2DConditionModel:
    """The tiny student by cross-attention alignment, beside a random teacher, on random pairs."""
    torch.manual_seed(0)
    config, taught = preset("tiny"), preset("tiny-teacher")
    shape = (4, *config.latent_shape[1:])
    pairs = LatentPairs(torch.randn(shape), torch.ones(4, 1, *shape[2:]), torch.randn(shape), torch.randn(shape))
    return train_denoiser(
        config,
        pairs if kept == "memory" else on_disk(pairs, folder.with_name(f"{folder.name}-shards")),
        LOOP,
        folder,
        distill="caad",
        teacher=Denoiser(taught, build_unet(taught)).eval(),
        losses=LossConfig(similarity_every=3),
        resume=resume,
        on_step=lambda *_: time.sleep(seconds_per_step),
    )


def on_disk(pairs: LatentPairs, folder: Path) -> LatentShards:
    """Two shards, the same ones when the run goes on."""
    about = ShardedLatents(len(pairs), 2, 64, 48, "improved", "", "", 1.0, None)
    folder.mkdir(exist_ok=True)
    for shard, file in enumerate(about.files(folder)):
        if not file.exists():
            save_file(
                {name: rows for name, rows in vars(pairs.part(about.rows(shard))).items() if rows is not None}, file
            )
    return LatentShards(folder, about)


@pytest.mark.parametrize("kept", ["memory", "shards"])
def test_a_killed_run_goes_on_to_the_weights_of_one_left_alone(kept: str, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", kept, resume=False)

    cut = tmp_path / "cut"
    process = subprocess.Popen([sys.executable, __file__, str(cut), kept], env=os.environ | {"OMP_NUM_THREADS": "1"})
    done = cut / "checkpoint/step.txt"
    deadline = time.monotonic() + 600
    while not (done.is_file() and int(done.read_text() or 0) >= 4):
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert int(done.read_text()) < LOOP.steps

    for a, b in zip(whole.parameters(), run(cut, kept, resume=True).parameters(), strict=True):
        assert torch.equal(a, b)
    saved = [load_file(folder / "checkpoint/model.safetensors") for folder in (tmp_path / "whole", cut)]
    assert any(name.startswith("alignment.") for name in saved[0])
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[0])
    assert (tmp_path / "whole/log.csv").read_text() == (cut / "log.csv").read_text()


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), sys.argv[2], resume=False, seconds_per_step=0.3)
