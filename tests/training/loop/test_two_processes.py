"""Two processes train as one does with twice the batch of each; this file is also what they run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lite_vton.model.denoiser import Denoiser
from lite_vton.model.unet import build_unet
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.dataset.shards import LatentShards, ShardedLatents
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.trainers.denoiser import train_denoiser

pytestmark = pytest.mark.slow

LOOP = LoopConfig(steps=4, batch_size=4, learning_rate=1e-4, warmup_steps=1, checkpoint_every=2)


def run(folder: Path, kept: str = "memory") -> list[torch.Tensor]:
    """The tiny student by cross-attention alignment, beside a random teacher, on random pairs; its weights."""
    torch.manual_seed(0)
    config, taught = preset("tiny"), preset("tiny-teacher")
    shape = (8, *config.latent_shape[1:])
    pairs = LatentPairs(torch.randn(shape), torch.ones(8, 1, *shape[2:]), torch.randn(shape), torch.randn(shape))
    teacher = Denoiser(taught, build_unet(taught)).eval()
    given = pairs if kept == "memory" else on_disk(pairs, folder.with_name(f"shards-{os.getpid()}"))
    return list(train_denoiser(config, given, LOOP, folder, distill="caad", teacher=teacher).parameters())


def on_disk(pairs: LatentPairs, folder: Path) -> LatentShards:
    about = ShardedLatents(len(pairs), 3, 64, 48, "improved", "", "", 1.0, None)
    folder.mkdir(parents=True)
    for shard, file in enumerate(about.files(folder)):
        rows = pairs.part(about.rows(shard))
        save_file({name: tensor for name, tensor in vars(rows).items() if tensor is not None}, file)
    return LatentShards(folder, about)


def logged(folder: Path) -> list[dict[str, float]]:
    header, *rows = (line.split(",") for line in (folder / "log.csv").read_text().splitlines())
    return [dict(zip(header, map(float, row), strict=True)) for row in rows]


def in_two_processes(folder: Path, kept: str) -> None:
    """As torchrun would start them, on the loopback interface, with gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {
        "ACCELERATE_USE_CPU": "true",
        "GLOO_SOCKET_IFNAME": "lo",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(folder), kept],
            env=os.environ | world | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=900) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.parametrize("kept", ["memory", "shards"])
def test_two_processes_have_the_loss_of_one_with_twice_the_batch(kept: str, tmp_path: Path) -> None:
    alone = run(tmp_path / "alone")
    in_two_processes(tmp_path / "shared", kept)
    wanted, found = logged(tmp_path / "alone"), logged(tmp_path / "shared")
    assert found[0].keys() == {"step", "noise", "output", "feature"}
    assert found[0] == pytest.approx(wanted[0], rel=1e-4)
    for a, b in zip(wanted, found, strict=True):
        assert b == pytest.approx(a, rel=1e-3)

    ranks = [torch.load(tmp_path / f"shared/rank{rank}.pt", weights_only=True) for rank in range(2)]
    for mine, first, second in zip(alone, *ranks, strict=True):
        assert torch.equal(first, second)
        assert torch.allclose(mine, first, atol=LOOP.steps * LOOP.learning_rate)


if __name__ == "__main__":
    from accelerate import PartialState

    torch.set_num_threads(1)
    trained = run(Path(sys.argv[1]), sys.argv[2])
    torch.save(
        [weight.detach().clone() for weight in trained], Path(sys.argv[1]) / f"rank{PartialState().process_index}.pt"
    )
    PartialState().destroy_process_group()
