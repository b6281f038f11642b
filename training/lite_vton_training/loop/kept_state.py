"""Weights, their averages and the optimiser's moments on disk: safetensors files, in which there is no code to run.

    model.safetensors        the module's weights and buffers, by name
    average.safetensors      the moving average of each weight, by its name
    optimizer.safetensors    AdamW's `step`, `exp_avg` and `exp_avg_sq` of each weight, after its name and a dot

The learning rate follows from the step, and so does how fast the average moves: neither is kept. Nor are random states,
since a step draws from a generator of its own (`lite_vton_training.loop.fit.step_generator`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.training_utils import EMAModel
from torch import nn

from lite_vton_training.loop.shard_files import Process, Tensors, UnfitError, local, opened, write

__all__ = ["KeptState"]

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class KeptState:
    """What one process has of a training: `schedule` is torch's `LambdaLR`, `optimizer` its AdamW."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Any
    ema: EMAModel
    process: Process

    def save(self, folder: Path) -> None:
        """Write this process's files. `SafetensorError` or `OSError` where there is no room."""
        parts = {"model": self.model.state_dict(), "average": self._averages(), "optimizer": self._moments()}
        for part, tensors in parts.items():
            write(part, tensors, folder, self.process)

    @torch.no_grad()
    def load(self, folder: Path, names: Collection[str], done: int) -> None:
        """Go on after `done` steps, with what is in the files `names` of `folder`.

        `UnfitError` where something is missing, of another network, or not finite. By then some may have been read.
        """
        for part, tensors in (("model", self.model.state_dict()), ("average", self._averages())):
            with opened(part, folder, names, self.process) as files:
                files.check_names(tensors)
                for name, tensor in tensors.items():
                    local(tensor).copy_(files.read(name, tensor))
        with opened("optimizer", folder, names, self.process) as files:
            state = self._read_moments(files, done)
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self._set_step(done)

    def _averages(self) -> dict[str, torch.Tensor]:
        names = (name for name, _ in self.model.named_parameters())
        return dict(zip(names, self.ema.shadow_params, strict=True))

    def _moments(self) -> dict[str, torch.Tensor]:
        state = self.optimizer.state
        return {
            f"{name}.{moment}": state[parameter][moment]
            for name, parameter in self.model.named_parameters()
            if parameter in state  # it has had a gradient
            for moment in _MOMENTS
        }

    def _read_moments(self, files: Tensors, done: int) -> dict[int, dict[str, torch.Tensor]]:
        """By the number of each weight, as torch's optimisers load them."""
        weights = list(self.model.named_parameters())
        known = {number: name for number, (name, _) in enumerate(weights) if f"{name}.step" in files.names}
        files.check_names([f"{name}.{moment}" for name in known.values() for moment in _MOMENTS])
        return {number: self._moments_of(name, weights[number][1], files, done) for number, name in known.items()}

    def _moments_of(self, name: str, weight: nn.Parameter, files: Tensors, done: int) -> dict[str, torch.Tensor]:
        step = files.read(f"{name}.step", torch.tensor(0.0))
        if not (step == step.round() and 1 <= step <= done):
            raise UnfitError(f"{name}.step in optimizer is {float(step):g} after {done} steps")
        state = {"step": step}
        for moment in _MOMENTS[1:]:
            state[moment] = torch.zeros_like(weight)  # in the weight's layout, where the weight is
            local(state[moment]).copy_(files.read(f"{name}.{moment}", weight))
        return state

    def _set_step(self, done: int) -> None:
        self.ema.optimization_step = done
        each = zip(self.schedule.base_lrs, self.schedule.lr_lambdas, strict=True)
        rates = [base * factor(done) for base, factor in each]
        written = {"last_epoch": done, "_step_count": done + 1, "_last_lr": rates}
        self.schedule.load_state_dict(self.schedule.state_dict() | written)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
