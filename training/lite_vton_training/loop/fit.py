"""The one training loop: steps, gradient, moving average, checkpoint. What is trained is the caller's.

Several processes (`accelerate launch`, or `torchrun` with ACCELERATE_USE_CPU=true on CPUs) share the batch of each
step between them, and so do the parts of an accumulated gradient: either way a step sees the very samples it would
see in one process at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from diffusers.models.modeling_utils import ModelMixin
from diffusers.optimization import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)
from diffusers.training_utils import EMAModel
from torch import nn

from lite_vton.atomic import claim_inside
from lite_vton.errors import UserError
from lite_vton.messages.choices import suggestion
from lite_vton_training.loop.checkpoint import begin, is_begun, length_of, save
from lite_vton_training.loop.log import LOG, Log
from lite_vton_training.loop.parallel import hold
from lite_vton_training.loop.run_settings import Settings

__all__ = ["SCHEDULES", "BatchLoss", "LoopConfig", "Loss", "Observer", "OnStep", "as_begun", "fit", "step_generator"]

Loss = Callable[[nn.Module, torch.Generator], dict[str, torch.Tensor]]
"""Draws its own batch with the generator it is given and returns weighted scalar terms; their sum is minimised."""

OnStep = Callable[[int, dict[str, float]], None]
"""Called after every step with its index (from 0) and the value of each term."""

Observer = Callable[[int, nn.Module], dict[str, float]]
"""Called after every step with its index and the module; what it returns gets columns of the log. At step 0 it has to
name all of its columns, at others it may return nothing."""


@runtime_checkable
class BatchLoss(Protocol):
    """A `Loss` whose batch can be shared between processes and the parts of an accumulated gradient."""

    def __call__(self, module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Terms as means over this part's samples; it has to draw what the whole batch would."""

    def part(self, share: slice) -> BatchLoss:
        """The loss of the samples at `share` of the batch."""

    def at_fault(self, module: nn.Module, generator: torch.Generator) -> list[str]:
        """The samples whose own loss is not finite, named for people."""


SCHEDULES: dict[str, Callable[[torch.optim.Optimizer, int, int], Any]] = {
    "cosine": get_cosine_schedule_with_warmup,
    "linear": get_linear_schedule_with_warmup,
    "constant": lambda optimizer, warmup, _steps: get_constant_schedule_with_warmup(optimizer, warmup),
}
"""Learning rates over the steps, after a linear warm-up; the first two end at zero."""


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train. Saved beside every run; AdamW with a warm-up and a row of `SCHEDULES`.

    `batch_size` is a whole step's, whatever the number of processes; `accumulation` is into how many parts each
    process cuts its share, for less memory. `gradient_checkpointing` computes activations twice instead of keeping
    them. `ema_decay` 0 means no moving average.

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
    schedule: str = "cosine"
    accumulation: int = 1
    gradient_checkpointing: bool = False


SEED_STRIDE = 2_000_003
"""Steps between one seed's first and the next's: more than anybody trains."""


def step_generator(seed: int, step: int) -> torch.Generator:
    """The random state of one step, a function of seed and step alone: what makes resuming exact."""
    # Of a seed torch 2.13's generator on CPUs takes the lower 32 bits alone.
    return torch.Generator().manual_seed((seed * SEED_STRIDE + step) % 2**32)


def as_begun(config: LoopConfig, folder: Path) -> LoopConfig:
    """`config` with as many steps as the run in `folder` was begun with: it stays as it is, since others build on it.

    `UserError` where its checkpoint is damaged.
    """
    if not is_begun(folder):
        return config
    length = length_of(folder)
    return replace(
        config,
        steps=length["steps"],
        warmup_steps=length["warmup_steps"],
        checkpoint_every=length["checkpoint_every"],
    )


def fit(
    module: nn.Module,
    loss: Loss | BatchLoss,
    config: LoopConfig,
    folder: Path,
    *,
    resume: bool = False,
    on_step: OnStep | None = None,
    about: Mapping[str, object] | None = None,
    observers: Sequence[Observer] = (),
) -> None:
    """Train `module` in place; at the end it holds the moving average of its weights.

    `folder` receives `config.json` (with `about`, what else the run depends on), `log.csv` and, every
    `checkpoint_every` steps and at the end, `checkpoint/`. With `resume` the run goes on from there and, on a CPU, ends
    with the very weights of a run that was never stopped. It may be given more steps than it was begun with: from there
    on its learning rates are those of a run of the new length. A finished run ends at once.

    Raises `UserError` when another process trains in `folder`, the checkpoint belongs to another configuration or
    cannot be saved or read, or the batch cannot be shared as asked; and `FloatingPointError`, naming the step and the
    samples at fault, when loss or gradient are no longer finite. The last checkpoint then stands as it was.
    """
    # One step of the schedule a step of training, in however many processes.
    accelerator = Accelerator(step_scheduler_with_optimizer=False)
    parts = _parts(loss, config, accelerator)
    if config.gradient_checkpointing:
        _checkpoint_gradients(module)
    held = hold(accelerator, module, partial(_optimizer, config))
    model, ema = held.model, held.ema

    with claim_inside(folder) if accelerator.is_main_process else nullcontext():
        settings = _settings(config, about or {})
        first = begin(accelerator, held, settings, folder, resume)
        ema.to(accelerator.device)
        model.train()
        log = Log(folder / LOG, accelerator.is_main_process)
        for step in range(first, config.steps):
            held.optimizer.zero_grad()
            terms = _gradient(accelerator, model, parts, config, step)
            norm = held.clip(config.gradient_clip)
            if not torch.isfinite(norm):
                raise _not_finite("gradient", norm, step, accelerator, model, parts, config)
            held.optimizer.step()
            held.schedule.step()
            ema.step(model.parameters())
            with held.whole() if observers else nullcontext():
                if accelerator.is_main_process:
                    values = {name: float(term) for name, term in terms.items()}
                    seen = {name: value for observe in observers for name, value in observe(step, module).items()}
                    model.train()
                    log.write(step, values | seen)
                    if on_step is not None:
                        on_step(step, values)
            if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
                save(accelerator, held, settings, step + 1, folder)
    held.finish()
    module.eval()


# One step


def _parts(loss: Loss | BatchLoss, config: LoopConfig, accelerator: Accelerator) -> list[Loss]:
    """This process's parts of the batch, one after the other."""
    count = accelerator.num_processes * config.accumulation
    if count == 1:
        return [loss]
    if not isinstance(loss, BatchLoss):
        raise UserError("this network trains in one process and without accumulation: train it so, then the others")
    if config.batch_size % count:
        raise UserError(
            f"a batch of {config.batch_size} does not divide by {count} "
            f"({accelerator.num_processes} processes times {config.accumulation} parts): choose a multiple"
        )
    first = accelerator.process_index * config.accumulation
    # Every so many samples, so that each part holds its share of both kinds of a mixed batch.
    return [loss.part(slice(first + i, None, count)) for i in range(config.accumulation)]


def _gradient(
    accelerator: Accelerator, model: nn.Module, parts: Sequence[Loss], config: LoopConfig, step: int
) -> dict[str, torch.Tensor]:
    """Add up the gradient of one step; returns the terms, means over all parts and processes."""
    means: dict[str, torch.Tensor] = {}
    for i, part in enumerate(parts):
        last = i + 1 == len(parts)
        with nullcontext() if last else accelerator.no_sync(model):
            with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=config.bf16):
                terms = part(model, step_generator(config.seed, step))
            total = torch.stack(list(terms.values())).sum()
            everywhere = accelerator.reduce(total.detach(), "mean")  # all processes have to stop, or none
            if not torch.isfinite(everywhere):
                raise _not_finite("loss", everywhere, step, accelerator, model, parts, config)
            accelerator.backward(total / len(parts) if len(parts) > 1 else total)
        for name, term in terms.items():
            mean = accelerator.reduce(term.detach(), "mean") / len(parts)
            means[name] = means[name] + mean if name in means else mean
    return means


def _not_finite(
    what: str,
    value: torch.Tensor,
    step: int,
    accelerator: Accelerator,
    model: nn.Module,
    parts: Sequence[Loss],
    config: LoopConfig,
) -> FloatingPointError:
    """The error to raise, the samples found by computing the step's losses once more, one sample each."""
    named: list[str] = []
    with torch.no_grad(), torch.autocast(accelerator.device.type, torch.bfloat16, enabled=config.bf16):
        for part in parts:
            if isinstance(part, BatchLoss):
                named += part.at_fault(accelerator.unwrap_model(model), step_generator(config.seed, step))
    named = gather_object(named)
    where = f"at {', '.join(named)}: look at those, or " if named else "at no sample in particular: "
    return FloatingPointError(
        f"the {what} of step {step} is {value.item()}, {where}lower the learning rate; the checkpoint before it is kept"
    )


def _optimizer(config: LoopConfig, module: nn.Module) -> tuple[torch.optim.Optimizer, Any, EMAModel]:
    """With its learning rates, and the moving average."""
    # On a GPU one kernel for all weights instead of several for each of hundreds.
    together = torch.cuda.is_available()
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=together or None
    )
    ema = EMAModel(module.parameters(), decay=config.ema_decay, use_ema_warmup=True, power=0.75, foreach=together)
    return optimizer, _schedule(config, optimizer), ema


def _schedule(config: LoopConfig, optimizer: torch.optim.Optimizer) -> Any:
    if config.schedule not in SCHEDULES:
        raise UserError(f"unknown learning-rate schedule {config.schedule!r}: {suggestion(config.schedule, SCHEDULES)}")
    return SCHEDULES[config.schedule](optimizer, config.warmup_steps, config.steps)


def _checkpoint_gradients(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, ModelMixin) and part._supports_gradient_checkpointing:
            part.enable_gradient_checkpointing()


def _settings(config: LoopConfig, about: Mapping[str, object]) -> Settings:
    """The loop's were at their default in runs that do not say them."""
    defaults = {field.name: field.default for field in fields(LoopConfig) if field.default is not MISSING}
    return Settings({**asdict(config), **about}, {**defaults, **about})
