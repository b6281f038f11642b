"""How each process holds the weights it trains: whole, a replica in each (DDP), or its share of them (FSDP)."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin, broadcast
from diffusers import UNet2DConditionModel
from diffusers.training_utils import EMAModel
from torch import nn

from lite_vton.errors import UserError
from lite_vton_training.loop.kept_state import KeptState
from lite_vton_training.loop.shard_files import SHARDS, Process

__all__ = ["Held", "hold"]

MakeOptimizer = Callable[[nn.Module], tuple[torch.optim.Optimizer, Any, EMAModel]]
"""The optimiser, its learning rates and the moving average of a module."""


class Held(Protocol):
    """What one process has of a training: weights, optimiser, learning rates and moving average."""

    model: nn.Module
    """To be called; the gradient is the mean over the processes."""
    optimizer: Any
    schedule: Any
    ema: EMAModel

    def clip(self, norm: float) -> torch.Tensor:
        """Scale the gradient down to `norm`, if it is longer; returns the whole gradient's length before."""

    def whole(self) -> Any:
        """A context in which the module that `hold` was given has all of the current weights, in the first process."""

    def save(self, folder: Path) -> None:
        """Everything, into a folder that all processes see; called by all."""

    def load(self, folder: Path, names: Collection[str], done: int) -> None:
        """What `save` wrote after `done` steps, in the files `names`.

        `UserError` for a checkpoint of the other kind; else as `lite_vton_training.loop.kept_state.KeptState.load`.
        """

    def finish(self) -> None:
        """The averaged weights into the module that `hold` was given, whole, in every process."""


def hold(accelerator: Accelerator, module: nn.Module, make: MakeOptimizer) -> Held:
    """In shards where FSDP was asked for and there are several processes; `UserError` for what does not work with it.

    accelerate 1.15 takes `--use_fsdp` up for GPUs and their like alone (`AcceleratorState.__init__`), on CPUs it would
    train with DDP; and its own FSDP keeps no moving average and changes the module that its caller holds. So what it
    read from the launch is asked here, and torch's `fully_shard`, which works on CPUs as well, does the work.
    """
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        raise UserError("the moving average does not work with DeepSpeed: launch with --multi_gpu, or with --use_fsdp")
    if accelerator.num_processes == 1 or os.environ.get("ACCELERATE_USE_FSDP", "false").lower() != "true":
        return _Replica(accelerator, module, make)
    plugin = FullyShardedDataParallelPlugin()
    if plugin.fsdp_version != 2:
        raise UserError("weights are cut into shards by FSDP2 alone: launch with --fsdp_version 2")
    from torch.distributed.fsdp import CPUOffloadPolicy

    if isinstance(plugin.cpu_offload, CPUOffloadPolicy):
        raise UserError("shards stay where they are computed with: launch with --fsdp_offload_params false")
    return _Share(accelerator, module, make)


class _Replica:
    """All of the weights, as accelerate prepares them."""

    def __init__(self, accelerator: Accelerator, module: nn.Module, make: MakeOptimizer) -> None:
        self._accelerator, self._module = accelerator, module
        optimizer, schedule, self.ema = make(module)
        self.model, self.optimizer, self.schedule = accelerator.prepare(module, optimizer, schedule)
        self._kept = KeptState(module, optimizer, schedule, self.ema, Process())

    def clip(self, norm: float) -> torch.Tensor:
        found: torch.Tensor = self._accelerator.clip_grad_norm_(self.model.parameters(), norm)
        return found

    @contextmanager
    def whole(self) -> Iterator[None]:
        yield

    def save(self, folder: Path) -> None:
        if self._accelerator.is_main_process:
            self._kept.save(folder)

    def load(self, folder: Path, names: Collection[str], done: int) -> None:
        if _are_cut(names):
            raise UserError(f"{folder} is cut into shards: resume it with --use_fsdp, in two processes or more")
        self._kept.load(folder, names, done)

    def finish(self) -> None:
        self.ema.copy_to(self._module.parameters())


class _Share:
    """One share of every weight, of its average and of the optimiser's two moments; the caller's module is emptied."""

    def __init__(self, accelerator: Accelerator, module: nn.Module, make: MakeOptimizer) -> None:
        self._accelerator, self._module = accelerator, module
        self.model = _cut(module, accelerator)
        for parameter in module.parameters():
            parameter.data = parameter.data.new_empty(0)
        module.to(accelerator.device)
        self.optimizer, self.schedule, self.ema = make(self.model)
        process = Process(accelerator.process_index, accelerator.num_processes)
        self._kept = KeptState(self.model, self.optimizer, self.schedule, self.ema, process)

    def clip(self, norm: float) -> torch.Tensor:
        found: torch.Tensor = _gathered(nn.utils.clip_grad_norm_(self.model.parameters(), norm))
        return found

    @contextmanager
    def whole(self) -> Iterator[None]:
        first = self._accelerator.is_main_process
        for parameter, share in zip(self._module.parameters(), self.model.parameters(), strict=True):
            gathered = _gathered(share.detach())  # by all, kept by one
            if first:
                parameter.data = gathered
        yield
        for parameter in self._module.parameters():
            parameter.data = parameter.data.new_empty(0)

    def save(self, folder: Path) -> None:
        self._kept.save(folder)

    def load(self, folder: Path, names: Collection[str], done: int) -> None:
        if not _are_cut(names):
            raise UserError(f"{folder} is not cut into shards: resume it without --use_fsdp")
        self._kept.load(folder, names, done)

    def finish(self) -> None:
        for parameter, share in zip(self._module.parameters(), self.ema.shadow_params, strict=True):
            parameter.data = _gathered(share)


def _are_cut(names: Collection[str]) -> bool:
    return any(name.startswith(f"{SHARDS}/") for name in names)


def _cut(module: nn.Module, accelerator: Accelerator) -> nn.Module:
    """A module like `module` with this process's share of the first one's weights.

    A U-Net's levels are gathered one at a time to compute with, whatever else there is together.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    # Not a second copy of the weights: the copy's parameters have the very memory of the module's.
    own = {
        id(parameter): nn.Parameter(parameter.detach(), parameter.requires_grad) for parameter in module.parameters()
    }
    model = copy.deepcopy(module, own)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.copy_(broadcast(tensor.to(accelerator.device)))
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    for part in list(model.modules()):
        if isinstance(part, UNet2DConditionModel):
            for level in (*part.down_blocks, part.mid_block, *part.up_blocks):
                if level is not None:
                    fully_shard(level, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model.to(accelerator.device)


def _gathered(tensor: torch.Tensor) -> torch.Tensor:
    """The whole of a tensor that is cut into shards; every process has to call it."""
    from torch.distributed.tensor import DTensor

    assert isinstance(tensor, DTensor)
    whole: torch.Tensor = tensor.full_tensor()
    return whole
