"""The one training loop: steps, gradient, moving average, checkpoint. What is trained is the caller's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from torch import nn

from lite_vton.errors import UserError

__all__ = ["LoopConfig", "Loss", "OnStep", "fit", "step_generator"]

Loss = Callable[[nn.Module, torch.Generator], dict[str, torch.Tensor]]
"""Draws its own batch with the generator it is given and returns weighted scalar terms; their sum is minimised."""

OnStep = Callable[[int, dict[str, float]], None]
"""Called after every step with its index (from 0) and the value of each term."""


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train. Saved beside every run; AdamW with a warm-up and a cosine to zero.

    `bf16` computes in bfloat16 where torch's autocast thinks it safe; weights and optimiser stay float32. Several
    times faster on processors that multiply bfloat16 matrices, slower on those that do not.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 100
    weight_decay: float = 1e-2
    gradient_clip: float = 1.0
    ema_decay: float = 0.999
    seed: int = 0
    checkpoint_every: int = 200
    bf16: bool = False


def step_generator(seed: int, step: int) -> torch.Generator:
    """The random state of one step, a function of seed and step alone: what makes resuming exact."""
    return torch.Generator().manual_seed((seed << 32) + step)


def fit(
    module: nn.Module,
    loss: Loss,
    config: LoopConfig,
    folder: Path,
    *,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> None:
    """Train `module` in place; at the end it holds the moving average of its weights.

    `folder` receives `config.json`, `log.csv` and, every `checkpoint_every` steps and at the end,
    `checkpoint/`. With `resume` the run goes on from there and, on a CPU, ends with the very weights of a run
    that was never stopped. Raises `UserError` when the checkpoint belongs to another configuration, and
    `FloatingPointError` when the loss is no longer finite.
    """
    accelerator = Accelerator()
    optimizer = torch.optim.AdamW(module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = get_cosine_schedule_with_warmup(optimizer, config.warmup_steps, config.steps)
    ema = EMAModel(module.parameters(), decay=config.ema_decay, use_ema_warmup=True, power=0.75)
    model, optimizer, schedule = accelerator.prepare(module, optimizer, schedule)
    accelerator.register_for_checkpointing(ema)

    first = _resume(accelerator, config, folder) if resume else _start(config, folder)
    ema.to(accelerator.device)
    model.train()
    with (folder / "log.csv").open("a", encoding="utf-8") as log:
        for step in range(first, config.steps):
            with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=config.bf16):
                terms = loss(model, step_generator(config.seed, step))
            total = torch.stack(list(terms.values())).sum()
            if not torch.isfinite(total):
                raise FloatingPointError(f"the loss of step {step} is {total.item()}: lower the learning rate")
            optimizer.zero_grad()
            accelerator.backward(total)
            accelerator.clip_grad_norm_(model.parameters(), config.gradient_clip)
            optimizer.step()
            schedule.step()
            ema.step(model.parameters())
            values = {name: float(term.detach()) for name, term in terms.items()}
            if step == 0:
                log.write(",".join(["step", *values]) + "\n")
            log.write(",".join([str(step), *(f"{value:.6g}" for value in values.values())]) + "\n")
            if on_step is not None:
                on_step(step, values)
            if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
                log.flush()
                _save(accelerator, step + 1, folder)
    ema.copy_to(module.parameters())
    module.eval()


def _start(config: LoopConfig, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in ("checkpoint", "checkpoint.old"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    (folder / "log.csv").unlink(missing_ok=True)
    (folder / "config.json").write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")
    return 0


def _resume(accelerator: Accelerator, config: LoopConfig, folder: Path) -> int:
    checkpoint, old = folder / "checkpoint", folder / "checkpoint.old"
    if not checkpoint.is_dir() and old.is_dir():  # killed between the two renames of `_save`
        old.rename(checkpoint)
    if not checkpoint.is_dir():
        return _start(config, folder)
    if json.loads((folder / "config.json").read_text(encoding="utf-8")) != asdict(config):
        raise UserError(f"{folder} was begun with other settings: resume with those, or choose a new folder")
    accelerator.load_state(str(checkpoint))
    done = int((checkpoint / "step.txt").read_text(encoding="utf-8"))
    _cut_log(folder / "log.csv", done)
    return done


def _cut_log(path: Path, steps: int) -> None:
    """Drop what was logged after the checkpoint was taken; those steps are about to be run again."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    path.write_text("".join(lines[: steps + 1]), encoding="utf-8")


def _save(accelerator: Accelerator, done: int, folder: Path) -> None:
    """Put a whole checkpoint in the old one's place: a kill leaves one of the two, if need be as `checkpoint.old`."""
    fresh, current, old = folder / "checkpoint.new", folder / "checkpoint", folder / "checkpoint.old"
    shutil.rmtree(fresh, ignore_errors=True)
    accelerator.save_state(str(fresh))
    (fresh / "step.txt").write_text(str(done), encoding="utf-8")
    if current.exists():
        shutil.rmtree(old, ignore_errors=True)
        current.rename(old)
    fresh.rename(current)
    shutil.rmtree(old, ignore_errors=True)
