"""Two processes that each hold half of the weights train as one does; this file is also what they run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.unet import build_unet
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.loop.sealed_folder import SEAL, seal
from lite_vton_training.trainers.denoiser import train_denoiser
from lite_vton_training.trainers.losses import LossConfig
from tests.training.loop.test_checkpoint import files_of, poisons

pytestmark = pytest.mark.slow

LOOP = LoopConfig(
    steps=4,
    batch_size=4,
    learning_rate=1e-4,
    warmup_steps=1,
    checkpoint_every=2,
    accumulation=2,
    gradient_checkpointing=True,
)
STOPPED, REFUSED = 3, 2


class Stopped(BaseException):
    """Stands for the signal that ends the process."""


def run(folder: Path, loop: LoopConfig, *, stop: bool = False, resume: bool = False) -> nn.Module:
    """The tiny student by cross-attention alignment, its likeness to its teacher logged; `stop`: after three steps."""
    torch.manual_seed(0)
    config, taught = preset("tiny"), preset("tiny-teacher")
    shape = (8, *config.latent_shape[1:])
    pairs = LatentPairs(torch.randn(shape), torch.ones(8, 1, *shape[2:]), torch.randn(shape), torch.randn(shape))
    teacher = Denoiser(taught, build_unet(taught)).eval()

    def on_step(step: int, _: dict[str, float]) -> None:
        if stop and step == 2:
            raise Stopped

    return train_denoiser(
        config,
        pairs,
        loop,
        folder,
        distill="caad",
        teacher=teacher,
        losses=LossConfig(similarity_every=2),
        resume=resume,
        on_step=on_step,
    )


def logged(folder: Path) -> list[dict[str, str]]:
    header, *rows = (line.split(",") for line in (folder / "log.csv").read_text().splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def launched(count: int, *arguments: str, **environment: str) -> tuple[list[int], str]:
    """Exit codes and what was said, as `accelerate launch --use_fsdp --fsdp_version 2` would start them with gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {
        "ACCELERATE_USE_CPU": "true",
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "GLOO_SOCKET_IFNAME": "lo",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),  # where `tests` is
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, *arguments],
            env=os.environ | world | environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        said = "".join(process.communicate(timeout=900)[1] for process in processes)
        return [process.returncode for process in processes], said
    finally:
        for process in processes:
            process.kill()


def equal(first: Path, second: Path) -> bool:
    a, b = load_file(first), load_file(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes in shards, never stopped."""
    folder = tmp_path_factory.mktemp("sharded") / "run"
    codes, said = launched(2, str(folder))
    assert codes == [0, 0], said
    return folder


def test_two_processes_in_shards_have_the_loss_of_one_with_twice_the_batch(shared: Path, tmp_path: Path) -> None:
    mine = run(tmp_path, replace(LOOP, gradient_checkpointing=False)).state_dict()
    wanted, found = logged(tmp_path), logged(shared)
    assert len(found) == LOOP.steps
    assert found[0].keys() == wanted[0].keys()
    for a, b in zip(wanted, found, strict=True):
        for name in a:
            assert (a[name] == "") == (b[name] == "")
            assert float(b[name] or 0) == pytest.approx(float(a[name] or 0), rel=1e-3), name
    theirs = load_file(shared / "rank0.safetensors")
    assert mine.keys() == theirs.keys()
    for name, weight in mine.items():
        assert torch.allclose(weight, theirs[name], atol=LOOP.steps * LOOP.learning_rate)


def test_each_process_holds_half_and_ends_with_all(shared: Path) -> None:
    assert equal(shared / "rank0.safetensors", shared / "rank1.safetensors")
    for rank in range(2):
        held, whole = map(int, (shared / f"rank{rank}.txt").read_text().split())
        assert 0.45 * whole < held < 0.55 * whole


def test_a_stopped_run_ends_with_the_same_bits(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    codes, said = launched(2, str(folder), "stop")
    assert codes[0] == STOPPED, said
    assert codes[1], said  # it has nobody left to talk to
    assert (folder / "checkpoint/step.txt").read_text() == "2"
    with pytest.raises(UserError, match="cut into shards"):
        run(folder, LOOP, resume=True)
    codes, said = launched(2, str(folder), "resume", FSDP_VERSION="1")
    assert codes == [REFUSED, REFUSED]
    assert "--fsdp_version 2" in said
    codes, said = launched(2, str(folder), "resume")
    assert codes == [0, 0], said
    assert equal(folder / "rank0.safetensors", shared / "rank0.safetensors")
    assert (folder / "log.csv").read_text() == (shared / "log.csv").read_text()


@pytest.mark.parametrize("is_sharded", [True, False])
def test_two_processes_both_refuse_poison_in_the_place_of_any_file(
    is_sharded: bool, shared: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    if is_sharded:
        shutil.copytree(shared, folder, ignore=shutil.ignore_patterns("rank*"))
    codes, said = launched(2, str(folder), "poison", ACCELERATE_USE_FSDP=str(is_sharded).lower())
    assert codes == [0, 0], said
    assert not sprung_in(folder).exists()
    names = [line.split(" ")[0] for line in said.splitlines() if line.endswith(" refused twice")]
    assert sorted(names) == sorted(2 * files_of(folder))
    assert sum("/shards/" in name for name in names) == 12 * is_sharded


def sprung_in(folder: Path) -> Path:
    """What a poison makes where it is executed."""
    return folder.with_name("sprung")


def refuse_poison(folder: Path) -> None:
    """Put a poison in the place of each file of the run, as it is and sealed, and see that the run is refused."""
    from accelerate import PartialState

    state = PartialState()
    poison = poisons(sprung_in(folder))["pickle"]
    own_seal = (folder / "checkpoint" / SEAL).read_bytes()
    for name in files_of(folder):
        own = (folder / name).read_bytes()
        for is_sealed in (False, True):
            state.wait_for_everyone()
            if state.is_main_process:
                (folder / name).write_bytes(poison)
                if is_sealed and name.startswith("checkpoint/") and not name.endswith(SEAL):
                    (folder / "checkpoint" / SEAL).unlink()
                    seal(folder / "checkpoint")
            state.wait_for_everyone()
            with pytest.raises(UserError):
                run(folder, LOOP, resume=True)
        state.wait_for_everyone()
        if state.is_main_process:
            (folder / name).write_bytes(own)
            (folder / "checkpoint" / SEAL).write_bytes(own_seal)
        print(f"{name} refused twice", file=sys.stderr)
    state.wait_for_everyone()


def main(folder: Path, flags: Sequence[str]) -> int:
    """One process; beside the run, what it ended with and how many numbers it held of how many."""
    import torch.distributed
    from accelerate import PartialState
    from torch.distributed.tensor import DTensor

    import lite_vton_training.loop.fit

    counted: list[str] = []
    hold = lite_vton_training.loop.fit.hold  # type: ignore[attr-defined]  # not of its public face

    def counting(*arguments: object) -> object:
        held = hold(*arguments)
        weights = [weight for weight in held.model.parameters() if isinstance(weight, DTensor)]
        share = sum(weight.to_local().untyped_storage().nbytes() // 4 for weight in weights)
        counted.append(f"{share} {sum(weight.numel() for weight in weights)}")
        return held

    lite_vton_training.loop.fit.hold = counting  # type: ignore[assignment, attr-defined]
    try:
        if "poison" in flags:
            if not (folder / "checkpoint").is_dir():
                run(folder, LOOP)
            refuse_poison(folder)
            PartialState().destroy_process_group()
            return 0
        unet = run(folder, LOOP, stop="stop" in flags, resume="resume" in flags)
    except Stopped:
        os._exit(STOPPED)
    except UserError as error:
        print(error, file=sys.stderr)
        return REFUSED
    rank = PartialState().process_index
    save_file(
        {name: weight.contiguous() for name, weight in unet.state_dict().items()}, folder / f"rank{rank}.safetensors"
    )
    (folder / f"rank{rank}.txt").write_text(counted[0])
    torch.distributed.barrier()
    PartialState().destroy_process_group()
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
