"""Tensors by name in one safetensors file, or cut into rows over those of several processes.

Each process writes its own rows of a tensor that is cut (`torch.distributed`'s DTensor along its first dimension), and
the whole of any other. Rows are found again by counting, so another number of processes finds its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lite_vton.errors import UserError

__all__ = ["SHARDS", "Process", "Tensors", "UnfitError", "local", "opened", "write"]

SHARDS = "shards"
"""The folder of the files of several processes."""


class UnfitError(UserError):
    """Tensors are not those of this network, or no numbers; says which, but not in which folder nor what to do."""


@dataclass(frozen=True)
class Process:
    """Which of a training's processes this is, from 0, of how many that hold shares; 0 of 1 where nothing is cut."""

    index: int = 0
    count: int = 1

    def file(self, part: str) -> str:
        """Where this process writes the tensors that are called `part`."""
        if self.count == 1:
            return f"{part}.safetensors"
        return f"{SHARDS}/{part}-{self.index + 1:05d}-of-{self.count:05d}.safetensors"


def local(tensor: torch.Tensor) -> torch.Tensor:
    """The rows that this process has of a tensor, in the same memory; all where it is not cut."""
    rows: torch.Tensor = tensor.to_local() if _is_cut(tensor) else tensor  # type: ignore[attr-defined]  # a DTensor
    return rows


def write(part: str, tensors: Mapping[str, torch.Tensor], folder: Path, process: Process) -> None:
    """Write this process's file. `SafetensorError` or `OSError` where that fails."""
    file = folder / process.file(part)
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: local(tensor).detach().contiguous() for name, tensor in tensors.items()}, file)


class Tensors:
    """The tensors called `part` as their files hold them."""

    def __init__(self, part: str, files: Sequence[Any], process: Process) -> None:
        self.part, self.names = part, frozenset(files[0].keys())
        self._files, self._process = files, process

    def check_names(self, wanted: Collection[str]) -> None:
        """`UnfitError` if these are not the tensors that there are."""
        differing = sorted(self.names.symmetric_difference(wanted))
        if differing:
            verb = "lacks" if differing[0] in wanted else "holds"
            raise UnfitError(f"{self.part} {verb} {differing[0]}: it is of another network")

    def read(self, name: str, like: torch.Tensor) -> torch.Tensor:
        """What belongs where `like` is: this process's rows of a cut tensor, else all of it; on the CPU.

        `UnfitError` for another shape or type, or a value that is NaN or infinite.
        """
        found = self._rows(name, like) if _is_cut(like) else self._files[0].get_tensor(name)
        wanted = local(like)
        if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
            raise UnfitError(
                f"{name} in {self.part} is {tuple(found.shape)} of {found.dtype}, not {tuple(wanted.shape)} of "
                f"{wanted.dtype}: it is of another network"
            )
        if found.is_floating_point() and not found.isfinite().all():
            raise UnfitError(f"{name} in {self.part} has values that are NaN or infinite")
        return found

    def _rows(self, name: str, like: torch.Tensor) -> torch.Tensor:
        each = -(-len(like) // self._process.count)  # as torch.chunk, which FSDP2 cuts with
        first = min(self._process.index * each, len(like))
        last = min(first + each, len(like))
        pieces, passed = [local(like)[:0].cpu()], 0
        for file in self._files:
            rows = file.get_slice(name)
            count = rows.get_shape()[0]
            begin, end = max(first - passed, 0), min(last - passed, count)
            if begin < end:
                pieces.append(rows[begin:end])
            passed += count
        if passed != len(like):
            raise UnfitError(f"{name} in {self.part} has {passed} rows, not {len(like)}: it is of another network")
        return torch.cat(pieces)


@contextmanager
def opened(part: str, folder: Path, names: Collection[str], process: Process) -> Iterator[Tensors]:
    """The tensors called `part` in the files of `folder` that are among `names`.

    `UnfitError` where files are missing; `SafetensorError` for one that is damaged.
    """
    start = f"{SHARDS}/{part}-"
    count = 1 if process.count == 1 else sum(name.startswith(start) for name in names)
    files = [Process(index, count).file(part) for index in range(count)]
    if not files or not set(files) <= set(names):
        raise UnfitError(f"the files of {part} are not all there")
    with ExitStack() as stack:
        yield Tensors(part, [stack.enter_context(safe_open(folder / name, framework="pt")) for name in files], process)


def _is_cut(tensor: torch.Tensor) -> bool:
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)
