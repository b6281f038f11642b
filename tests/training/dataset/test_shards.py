"""Pairs on a disk are the pairs in memory, survive a kill, and take no memory; this file is also what is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lite_vton.atomic import claim
from lite_vton.data.drawn.dataset import synthesize
from lite_vton.data.opening import open_pairs
from lite_vton.data.sample import PairFolder
from lite_vton.errors import UserError
from lite_vton.model.networks import Networks, random_networks
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import LatentPairs, Pairs, encode_pairs
from lite_vton_training.dataset.pictures import read_pictures
from lite_vton_training.dataset.shards import LatentShards, write_shards
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.trainers.denoiser import train_denoiser
from lite_vton_training.trainers.losses import DISTILLATIONS, LossConfig
from lite_vton_training.trainers.noise_loss import NoiseLoss

pytestmark = pytest.mark.slow

TINY = preset("tiny")
COUNT = 18  # more than the autoencoder encodes at once, so that there is a second shard
SHARD_PAIRS = 16


def samples_of(data: Path) -> PairFolder:
    return open_pairs(data, height=TINY.height, width=TINY.width)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drawn people, each under six names."""
    folder = synthesize(tmp_path_factory.mktemp("data") / "drawn", 3, seed=1, test_share=0.0)
    names = [f"{i:05d}_00" for i in range(COUNT)]
    assert (folder / "train_pairs.txt").read_text().split()[:2] == [f"{names[0]}.jpg"] * 2
    for i in range(3, COUNT):
        for file in list((folder / "train").glob(f"*/{names[i % 3]}*")):
            shutil.copyfile(file, file.with_name(file.name.replace(names[i % 3], names[i])))
    (folder / "train_pairs.txt").write_text("".join(f"{name}.jpg {name}.jpg\n" for name in names))
    return folder


@pytest.fixture(scope="module")
def networks() -> Networks:
    return random_networks(TINY)


@pytest.fixture(scope="module")
def in_memory(data: Path, networks: Networks) -> LatentPairs:
    return encode_pairs(read_pictures(samples_of(data)), networks.autoencoder, networks.latent_scale)


def shards(folder: Path, data: Path, networks: Networks, **options: object) -> LatentShards:
    about = write_shards(
        folder,
        samples_of(data),
        networks.autoencoder,
        networks.latent_scale,
        **{"shard_pairs": SHARD_PAIRS, **options},  # type: ignore[arg-type]
    )
    return LatentShards(folder, about)


@pytest.fixture(scope="module")
def folder(data: Path, networks: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shards") / "made"
    shards(made, data, networks)
    return made


def test_pairs_on_a_disk_are_those_in_memory(
    folder: Path, data: Path, networks: Networks, in_memory: LatentPairs
) -> None:
    on_disk: Pairs = shards(folder, data, networks)
    assert len(on_disk) == len(in_memory) == COUNT
    assert on_disk.latent_shape == in_memory.latent_shape
    chosen = torch.tensor([17, 0, 3, 17, 16])
    for found, wanted in (
        (on_disk.batch(chosen), in_memory.batch(chosen)),
        (on_disk.part(slice(15, 99)), in_memory.part(slice(15, 99))),
    ):
        assert found.tokens is None
        assert all(torch.equal(getattr(found, n), t) for n, t in vars(wanted).items() if t is not None)


def test_a_training_from_shards_is_the_training_from_memory(
    folder: Path, data: Path, networks: Networks, in_memory: LatentPairs, tmp_path: Path
) -> None:
    loop = LoopConfig(steps=3, batch_size=4, learning_rate=1e-3, warmup_steps=1)
    mapped = shards(folder, data, networks)
    one = train_denoiser(TINY, in_memory, loop, tmp_path / "memory", losses=LossConfig(similarity_every=2))
    other = train_denoiser(TINY, mapped, loop, tmp_path / "disk", losses=LossConfig(similarity_every=2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("memory", "disk")]
    assert logs[0] == logs[1]


class Recorded:
    """Pairs that remember which of them were asked for."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs, self.asked = pairs, list[int]()
        self.latent_shape = pairs.latent_shape

    def __len__(self) -> int:
        return len(self._pairs)

    def batch(self, chosen: torch.Tensor) -> LatentPairs:
        self.asked += chosen.tolist()
        return self._pairs.batch(chosen)

    def part(self, rows: slice) -> LatentPairs:
        return self._pairs.part(rows)


def test_two_processes_read_disjoint_halves_of_a_batch(in_memory: LatentPairs, networks: Networks) -> None:
    from lite_vton.model.denoiser import Denoiser, alpha_bars

    def asked(share: slice) -> list[int]:
        pairs = Recorded(in_memory)
        kind, bars = DISTILLATIONS["none"], alpha_bars(TINY.schedule)
        loss = NoiseLoss(pairs, bars, 8, TINY.unet, kind, LossConfig(), None, (), share)
        loss.draw(Denoiser(TINY, networks.unet), torch.Generator().manual_seed(3))
        return pairs.asked

    whole = asked(slice(None))
    first, second = asked(slice(0, None, 2)), asked(slice(1, None, 2))
    assert len(whole) == 8
    assert (first, second) == (whole[::2], whole[1::2])


def test_two_processes_encode_disjoint_halves_of_the_shards(data: Path, networks: Networks, tmp_path: Path) -> None:
    def names() -> list[str]:
        return sorted(file.name for file in tmp_path.glob("both/*.safetensors"))

    samples, given = samples_of(data), (networks.autoencoder, networks.latent_scale)
    write_shards(tmp_path / "both", samples, *given, share=slice(1, None, 2), shard_pairs=5)
    assert names() == ["shard-00001.safetensors", "shard-00003.safetensors"]
    about = write_shards(tmp_path / "both", samples, *given, share=slice(0, None, 2), shard_pairs=5)
    assert names() == [f"shard-{i:05d}.safetensors" for i in range(4)]
    assert len(LatentShards(tmp_path / "both", about)) == COUNT


def test_what_a_killed_preparation_left_is_gone_on_with(data: Path, networks: Networks, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    process = subprocess.Popen(
        [sys.executable, __file__, "write", str(cut), str(data)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    first, deadline = cut / "shard-00000.safetensors", time.monotonic() + 300
    while not first.exists():
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept, left = first.stat().st_mtime_ns, len(list(cut.glob("*.safetensors")))
    assert left < 4
    killed = cut / ".lite-vton-0123abcd/half"
    killed.parent.mkdir()
    killed.write_bytes(b"half a shard")

    told: list[int] = []
    with claim(cut / "another's") as living:
        found = shards(cut, data, networks, shard_pairs=5, progress=told.append)
        assert living.workspace.exists()
    assert first.stat().st_mtime_ns == kept
    assert (len(told), told[-1]) == (4 - left, COUNT)
    assert not killed.exists()
    whole = shards(tmp_path / "whole", data, networks, shard_pairs=5).part(slice(None))
    again = found.part(slice(None))
    assert all(torch.equal(getattr(again, n), t) for n, t in vars(whole).items() if t is not None)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


@pytest.mark.parametrize("damage", [truncate, Path.unlink, lambda file: file.write_bytes(b"no shard")])
def test_a_damaged_shard_is_refused_by_name_with_what_to_do(
    damage: Callable[[Path], object], data: Path, networks: Networks, tmp_path: Path
) -> None:
    found = shards(tmp_path / "s", data, networks)
    broken = tmp_path / "s/shard-00001.safetensors"
    damage(broken)
    with pytest.raises(UserError, match=r"shard-00001\.safetensors .*: delete it, and the command"):
        found.batch(torch.tensor([17]))
    broken.unlink(missing_ok=True)
    assert len(shards(tmp_path / "s", data, networks).part(slice(16, None))) == 2


def test_a_shard_of_other_pairs_is_refused_by_name(data: Path, networks: Networks, tmp_path: Path) -> None:
    shards(tmp_path / "s", data, networks)
    (tmp_path / "s/shard-00000.safetensors").rename(tmp_path / "s/shard-00001.safetensors")
    with pytest.raises(UserError, match=r"shard-00001\.safetensors does not hold the 2 pairs"):
        shards(tmp_path / "s", data, networks)


def _another(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def damage(file: Path) -> None:
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        _another(lambda tensors: tensors["x_0"][0, 0, 0, 0].fill_(float("nan"))),
        _another(lambda tensors: tensors.update(x_0=tensors["x_0"].double())),
        _another(lambda tensors: tensors.pop("x_0")),
        _another(lambda tensors: tensors.update(more=tensors["x_0"].clone())),
        _another(lambda tensors: tensors.update(x_0=torch.tensor(1.0))),
    ],
)
def test_a_shard_of_other_tensors_is_refused_by_name(
    damage: Callable[[Path], object], folder: Path, data: Path, networks: Networks, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "s")
    damage(tmp_path / "s/shard-00000.safetensors")
    with pytest.raises(UserError, match=r"shard-00000\.safetensors .*: delete it, and the command"):
        shards(tmp_path / "s", data, networks).part(slice(0, 2))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_a_damaged_record_of_what_latents_are_of_is_refused(
    text: bytes, data: Path, networks: Networks, tmp_path: Path
) -> None:
    (tmp_path / "shards.json").write_bytes(text)
    with pytest.raises(UserError, match=r"shards.json .*: choose an empty folder"):
        shards(tmp_path, data, networks)


def test_latents_of_something_else_are_refused(folder: Path, data: Path, networks: Networks, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"of something else \(autoencoder differ"):
        shards(folder, data, random_networks(TINY, seed=1))
    with pytest.raises(UserError, match=r"of something else \(pairs, names differ"):
        write_shards(folder, samples_of(data).first(3), networks.autoencoder, 1.0, shard_pairs=SHARD_PAIRS)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match="is no folder of shards"):
        shards(tmp_path, data, networks)


def test_tokens_come_along(data: Path, tmp_path: Path) -> None:
    clip = preset("tiny-clip")
    networks = random_networks(clip)
    samples = open_pairs(data, height=clip.height, width=clip.width).first(3)
    given = (networks.autoencoder, networks.latent_scale)
    about = write_shards(tmp_path / "s", samples, *given, image_encoder=networks.image_encoder)
    wanted = encode_pairs(read_pictures(samples, garments=True), *given, image_encoder=networks.image_encoder)
    tokens = LatentShards(tmp_path / "s", about).part(slice(None)).tokens
    assert tokens is not None
    assert wanted.tokens is not None
    assert tokens.dtype == torch.float16
    assert torch.equal(tokens, wanted.tokens)


MEGABYTES = 256  # of latents, in the test below


def test_reading_all_of_a_large_dataset_takes_little_memory(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, __file__, "read", str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    grown, read = (int(word) for word in ran.stdout.split())
    assert read >= MEGABYTES
    assert grown < MEGABYTES // 4


def read_a_large_dataset(folder: Path) -> None:
    """Prints by how many MB the process grew, and how many it read."""
    import resource

    from safetensors.torch import save_file

    from lite_vton_training.dataset.shards import ShardedLatents

    shape, count = (4, 64, 64), 64  # 64 kB a latent, 13/4 of that a pair
    tensors = {name: torch.ones(count, *shape) for name in ("x_0", "masked_person", "pose")}
    tensors["mask"] = torch.ones(count, 1, *shape[1:])
    size = sum(tensor.nbytes for tensor in tensors.values())
    shards_wanted = MEGABYTES * 2**20 // size + 1
    about = ShardedLatents(shards_wanted * count, count, 512, 512, "improved", "", "", 1.0, None)
    for file in about.files(folder):
        save_file(tensors, file)
    pairs = LatentShards(folder, about)
    pairs.batch(torch.arange(16))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = 0
    for chosen in torch.randperm(len(pairs)).split(16):
        read += sum(tensor.nbytes for tensor in vars(pairs.batch(chosen)).values() if tensor is not None)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(grown // 1024, read // 2**20)


def write_slowly(folder: Path, data: Path) -> None:
    networks = random_networks(TINY)
    shards(folder, data, networks, shard_pairs=5, progress=lambda _: time.sleep(1))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "read":
        read_a_large_dataset(Path(sys.argv[2]))
    else:
        write_slowly(Path(sys.argv[2]), Path(sys.argv[3]))
