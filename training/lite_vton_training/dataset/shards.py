"""Encoded pairs on a disk, for a dataset too large for memory: written shard by shard, read a batch at a time.

A step's batch depends on seed and step alone, drawn from all pairs: that makes a resumed run end with the same bits,
and several processes train as one. It needs any pair at any time, which a file of rows gives and a stream through a
shuffle buffer does not. So a shard is a safetensors file with the tensors of its pairs, one row a pair; it is mapped,
and of it nothing but the rows of the batch is read.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from lite_vton.atomic import is_vacant, whole_file
from lite_vton.data.sample import PairFolder
from lite_vton.errors import UserError
from lite_vton.model.autoencoder import Autoencoder
from lite_vton_training.dataset.latents import ENCODED_TOGETHER, LatentPairs, encode_pairs
from lite_vton_training.dataset.pictures import read_pieces
from lite_vton_training.loop.json_object import read_object, same
from lite_vton_training.loop.weights_digest import weights_digest

__all__ = ["SHARD_PAIRS", "LatentShards", "ShardedLatents", "write_shards"]

SHARD_PAIRS = 8 * ENCODED_TOGETHER
"""Pairs of a shard: at 512x384 20 MB of latents, from 250 MB of pictures. Whole batches of the autoencoder, so that
latents are those which `encode_pairs` makes of all pairs at once."""


@dataclass(frozen=True)
class ShardedLatents:
    """What the latents in a folder are of; `shards.json` says it.

    `names`, `autoencoder` and `image_encoder` are the SHA-256 of the pairs' file names in their order and of the
    networks' weights; `image_encoder` is None without tokens.
    """

    pairs: int
    shard_pairs: int
    height: int
    width: int
    mask: str
    names: str
    autoencoder: str
    latent_scale: float
    image_encoder: str | None

    @classmethod
    def of(
        cls,
        samples: PairFolder,
        autoencoder: Autoencoder,
        scale: float,
        image_encoder: nn.Module | None = None,
        shard_pairs: int = SHARD_PAIRS,
    ) -> ShardedLatents:
        """Of all `samples`, through these networks."""
        names = "".join(f"{pair.part}/{pair.person} {pair.cloth}\n" for pair in samples.pairs)
        return cls(
            pairs=len(samples),
            shard_pairs=shard_pairs,
            height=samples.height,
            width=samples.width,
            mask=samples.mask,
            names=hashlib.sha256(names.encode()).hexdigest(),
            autoencoder=weights_digest(autoencoder),
            latent_scale=scale,
            image_encoder=None if image_encoder is None else weights_digest(image_encoder),
        )

    def files(self, folder: Path) -> list[Path]:
        """The shards in `folder`, in the order of the pairs."""
        return [folder / f"shard-{i:05d}.safetensors" for i in range(-(-self.pairs // self.shard_pairs))]

    def rows(self, shard: int) -> slice:
        """Where the pairs of a shard stand among all."""
        return slice(shard * self.shard_pairs, min(self.pairs, (shard + 1) * self.shard_pairs))


def write_shards(
    folder: Path,
    samples: PairFolder,
    autoencoder: Autoencoder,
    scale: float,
    *,
    image_encoder: nn.Module | None = None,
    share: slice = slice(None),
    workers: int = 1,
    shard_pairs: int = SHARD_PAIRS,
    progress: Callable[[int], None] | None = None,
) -> ShardedLatents:
    """Encode the pairs into shards that `folder` does not hold yet; what a killed one left there is gone on with.

    `share` says which shards are this process's, of those of all; another process may write the others at the same
    time. `workers` processes read pictures. `progress` is told how many of this share's pairs are done. The rest as in
    `lite_vton_training.dataset.latents.encode_pairs`. Raises `UserError` for a folder with latents of something else,
    for a full disk, and as the dataset's reader.
    """
    about = ShardedLatents.of(samples, autoencoder, scale, image_encoder, shard_pairs)
    _claim(folder, about)
    mine = list(enumerate(about.files(folder)))[share]
    missing = [(shard, file) for shard, file in mine if not file.exists()]
    done = sum(_length(about.rows(shard)) for shard, _ in mine) - sum(_length(about.rows(s)) for s, _ in missing)
    pieces = [about.rows(shard) for shard, _ in missing]
    pictures = read_pieces(samples, pieces, garments=image_encoder is not None, workers=workers)
    for (_, file), some in zip(missing, pictures, strict=True):
        _write(encode_pairs(some, autoencoder, scale, image_encoder=image_encoder), file)
        done += len(some)
        if progress is not None:
            progress(done)
    return about


class LatentShards:
    """Pairs in a folder of shards: `lite_vton_training.dataset.latents.Pairs`, of which nothing stays in memory.

    Files are opened for each batch and closed after it. What was just read is in the system's cache of files, which
    takes the memory that nobody else needs.
    """

    def __init__(self, folder: Path, about: ShardedLatents) -> None:
        """The shards of `about` in `folder`. `UserError` for one that is missing, damaged or of another shape."""
        self._about, self._files = about, about.files(folder)
        self._shapes = _shapes(self._files[0])
        if not _NEEDED <= self._shapes.keys() <= _POSSIBLE:
            raise UserError(f"{self._files[0]} does not hold the latents of pairs: {_MEND}")
        for shard, file in enumerate(self._files):
            rows = _length(about.rows(shard))
            wanted = {name: ((rows, *shape[1:]), kind) for name, (shape, kind) in self._shapes.items()}
            if _shapes(file) != wanted:
                raise UserError(f"{file} does not hold the {rows} pairs it should: {_MEND}")

    def __len__(self) -> int:
        return self._about.pairs

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Of one pair's `x_0`: (C, h, w)."""
        return self._shapes["x_0"][0][1:]

    def batch(self, chosen: torch.Tensor) -> LatentPairs:
        """The pairs at the indices `chosen`. `UserError` where a shard has been damaged or taken away since."""
        rows = chosen.tolist()
        batch = {name: torch.empty((len(rows), *shape[1:]), dtype=kind) for name, (shape, kind) in self._shapes.items()}
        places: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for place, row in enumerate(rows):
            places[row // self._about.shard_pairs].append((place, row % self._about.shard_pairs))
        for shard, wanted in places.items():
            with _opened(self._files[shard]) as file:
                for name, tensor in batch.items():
                    column = file.get_slice(name)
                    for place, row in wanted:
                        tensor[place] = column[row : row + 1][0]
                        if not tensor[place].isfinite().all():
                            raise UserError(f"{self._files[shard]} holds {name} with NaN or infinity: {_MEND}")
        return LatentPairs(**batch)

    def part(self, rows: slice) -> LatentPairs:
        """The pairs of a slice."""
        return self.batch(torch.arange(len(self))[rows])


_MEND = "delete it, and the command that wrote it makes it anew"

_POSSIBLE = {field.name for field in fields(LatentPairs)}
_NEEDED = {field.name for field in fields(LatentPairs) if field.default is MISSING}

_KINDS = {"F32": torch.float32, "F16": torch.float16}


def _length(rows: slice) -> int:
    return int(rows.stop - rows.start)


def _claim(folder: Path, about: ShardedLatents) -> None:
    """Say in `folder` what its latents are of; `UserError` if it says something else."""
    file, text = folder / "shards.json", json.dumps(asdict(about), indent=2) + "\n"
    if file.exists():
        try:
            written = read_object(file)
        except UserError as error:
            raise UserError(f"{error}: choose an empty folder for the shards, or a new one") from error
        wanted = json.loads(text)
        other = [name for name in wanted if not same(written.get(name), wanted[name])]
        if other:
            raise UserError(
                f"{folder} holds latents of something else ({', '.join(other)} differ): choose another folder"
            )
        return
    if folder.exists() and not (folder.is_dir() and is_vacant(folder)):
        raise UserError(f"{folder} is no folder of shards: choose an empty or a new one")
    with whole_file(file, is_shared=True) as draft:  # several processes may do so: they write the same
        draft.write_text(text, encoding="utf-8")


def _write(pairs: LatentPairs, file: Path) -> None:
    """A whole shard, or none. Another command may be writing the same one: both write the same, the later one stays."""
    tensors = {name: tensor.contiguous() for name, tensor in vars(pairs).items() if tensor is not None}
    try:
        with whole_file(file, is_shared=True) as draft:
            save_file(tensors, draft)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"cannot write {file} ({error}): free some space and give the same command again; "
            "the shards before it are kept"
        ) from error


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt") as opened:
            yield opened
    except (OSError, SafetensorError) as error:
        raise UserError(f"{file} is damaged or missing ({error}): {_MEND}") from error


def _shapes(file: Path) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Of each tensor in a shard, by its header alone."""
    with _opened(file) as opened:
        columns = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118  # it is no dict
        if other := [name for name, column in columns.items() if column.get_dtype() not in _KINDS]:
            raise UserError(f"{file} is damaged at {other[0]}, which is of another type: {_MEND}")
        return {name: (tuple(column.get_shape()), _KINDS[column.get_dtype()]) for name, column in columns.items()}
