"""The one training loop: steps, gradient, moving average, checkpoint. What is trained is the caller's.

Several processes (`accelerate launch`, or `torchrun` with ACCELERATE_USE_CPU=true on CPUs) share the batch of each
step between them, and so do the parts of an accumulated gradient: either way a step sees the very samples it would
see in one process at once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, gather_object
from diffusers.models.modeling_utils import ModelMixin
from diffusers.optimization import (
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)
from diffusers.training_utils import EMAModel
from safetensors import SafetensorError
from torch import nn

from lite_vton.errors import UserError

__all__ = ["SCHEDULES", "BatchLoss", "LoopConfig", "Loss", "Observer", "OnStep", "fit", "step_generator"]

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
    with the very weights of a run that was never stopped.

    Raises `UserError` when the checkpoint belongs to another configuration or cannot be saved or read, or the batch
    cannot be shared as asked; and `FloatingPointError`, naming the step and the samples at fault, when loss or gradient
    are no longer finite. The last checkpoint then stands as it was.
    """
    # One step of the schedule a step of training, in however many processes.
    accelerator = Accelerator(step_scheduler_with_optimizer=False)
    parts = _parts(loss, config, accelerator)
    if config.gradient_checkpointing:
        _checkpoint_gradients(module)
    optimizer = torch.optim.AdamW(module.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = _schedule(config, optimizer)
    ema = EMAModel(module.parameters(), decay=config.ema_decay, use_ema_warmup=True, power=0.75)
    model, optimizer, schedule = accelerator.prepare(module, optimizer, schedule)
    accelerator.register_for_checkpointing(ema)

    first = _begin(accelerator, config, dict(about or {}), folder, resume)
    ema.to(accelerator.device)
    model.train()
    log = _Log(folder / "log.csv", accelerator.is_main_process)
    for step in range(first, config.steps):
        optimizer.zero_grad()
        terms = _gradient(accelerator, model, parts, config, step)
        norm = accelerator.clip_grad_norm_(model.parameters(), config.gradient_clip)
        if not torch.isfinite(norm):
            raise _not_finite("gradient", norm, step, accelerator, model, parts, config)
        optimizer.step()
        schedule.step()
        ema.step(model.parameters())
        if accelerator.is_main_process:
            values = {name: float(term) for name, term in terms.items()}
            seen = {name: value for observe in observers for name, value in observe(step, module).items()}
            model.train()
            log.write(step, values | seen)
            if on_step is not None:
                on_step(step, values)
        if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
            _save(accelerator, step + 1, folder)
    ema.copy_to(module.parameters())
    module.eval()


# One step


def _parts(loss: Loss | BatchLoss, config: LoopConfig, accelerator: Accelerator) -> list[Loss]:
    """This process's parts of the batch, one after the other."""
    if accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED):
        # Each process would average, and one would save, the shards it holds.
        raise UserError("the moving average does not work on a model cut into shards: launch with --multi_gpu (DDP)")
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


def _schedule(config: LoopConfig, optimizer: torch.optim.Optimizer) -> Any:
    if config.schedule not in SCHEDULES:
        raise UserError(f"unknown learning-rate schedule {config.schedule!r}: choose one of {', '.join(SCHEDULES)}")
    return SCHEDULES[config.schedule](optimizer, config.warmup_steps, config.steps)


def _checkpoint_gradients(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, ModelMixin) and part._supports_gradient_checkpointing:
            part.enable_gradient_checkpointing()


# What stays on disk


class _Log:
    """`log.csv`: a row a step, written by one process; columns are those of the first row."""

    def __init__(self, path: Path, writes: bool) -> None:
        self._path = path
        self._columns: list[str] = []
        if writes and path.exists():
            self._columns = path.read_text(encoding="utf-8").partition("\n")[0].split(",")[1:]

    def write(self, step: int, values: dict[str, float]) -> None:
        """Values without a column are left out; columns without a value stay empty."""
        lines = []
        if step == 0 or not self._columns:
            self._columns = list(values)
            lines.append(["step", *self._columns])
        lines.append([str(step), *(f"{values[name]:.6g}" if name in values else "" for name in self._columns)])
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(",".join(line) + "\n" for line in lines))


def _begin(accelerator: Accelerator, config: LoopConfig, about: dict[str, object], folder: Path, resume: bool) -> int:
    """The first step to run: 0 in a folder made ready, or the checkpoint's."""
    checkpoint, old = folder / "checkpoint", folder / "checkpoint.old"
    if accelerator.is_main_process:
        if resume and not checkpoint.is_dir() and old.is_dir():  # killed between the two renames of `_save`
            old.rename(checkpoint)
        if not (resume and checkpoint.is_dir()):
            _start(config, about, folder)
    accelerator.wait_for_everyone()
    return _resume(accelerator, config, about, folder) if checkpoint.is_dir() else 0


def _start(config: LoopConfig, about: dict[str, object], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in ("checkpoint", "checkpoint.old"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    (folder / "log.csv").unlink(missing_ok=True)
    text = json.dumps({**asdict(config), **about}, indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def _resume(accelerator: Accelerator, config: LoopConfig, about: dict[str, object], folder: Path) -> int:
    _refuse_another_run(json.loads((folder / "config.json").read_text(encoding="utf-8")), config, about, folder)
    checkpoint = folder / "checkpoint"
    try:
        accelerator.load_state(str(checkpoint))
        done = int((checkpoint / "step.txt").read_text(encoding="utf-8"))
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{checkpoint} cannot be resumed ({reason}): start anew in another folder") from error
    if accelerator.is_main_process:
        _cut_log(folder / "log.csv", done)
    accelerator.wait_for_everyone()
    return done


def _refuse_another_run(written: dict[str, object], config: LoopConfig, about: dict[str, object], folder: Path) -> None:
    """`UserError` unless the run was begun with these settings; the loop's were at their default where it is silent."""
    preset = about.get("preset")
    if written.get("preset", preset) != preset:
        raise UserError(f"{folder} holds a run of preset {written['preset']!r}, not {preset!r}: choose another folder")
    wanted = json.loads(json.dumps({**asdict(config), **about}))
    unsaid = {field.name: field.default for field in fields(LoopConfig)} | json.loads(json.dumps(about))
    if {**unsaid, **written} != wanted:
        raise UserError(f"{folder} was begun with other settings: resume with those, or choose a new folder")


def _cut_log(path: Path, steps: int) -> None:
    """Drop what was logged after the checkpoint was taken; those steps are about to be run again."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    path.write_text("".join(lines[: steps + 1]), encoding="utf-8")


def _save(accelerator: Accelerator, done: int, folder: Path) -> None:
    """Put a whole checkpoint in the old one's place: a kill leaves one of the two, if need be as `checkpoint.old`.

    Raises `UserError`, the old one untouched, when there is no room for it.
    """
    fresh, current, old = folder / "checkpoint.new", folder / "checkpoint", folder / "checkpoint.old"
    try:
        if accelerator.is_main_process:
            shutil.rmtree(fresh, ignore_errors=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(fresh))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            (fresh / "step.txt").write_text(str(done), encoding="utf-8")
            if current.exists():
                shutil.rmtree(old, ignore_errors=True)
                current.rename(old)
            fresh.rename(current)
            shutil.rmtree(old, ignore_errors=True)
        accelerator.wait_for_everyone()
    except (OSError, RuntimeError, SafetensorError) as error:  # each writer of the checkpoint has its own
        shutil.rmtree(fresh, ignore_errors=True)
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{folder} has no room for the checkpoint after step {done - 1} ({reason}): "
            "free some space and resume; the one before it is kept"
        ) from error
