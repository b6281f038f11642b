"""What a run leaves in its folder, and how it goes on from there.

config.json     its settings
log.csv         its losses
checkpoint/     after so many steps, whole or not at all:
    model, average, optimizer   safetensors (`lite_vton_training.loop.kept_state`)
    step.txt                    how many steps are done
    config.json, log.csv        what those of the folder were then
    checkpoint.json             size and hash of all of these (`lite_vton_training.loop.sealed_folder`)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from safetensors import SafetensorError

from lite_vton.atomic import whole_folder, write_text
from lite_vton.errors import UserError
from lite_vton_training.loop.json_object import read_object
from lite_vton_training.loop.log import LOG
from lite_vton_training.loop.parallel import Held
from lite_vton_training.loop.run_settings import CONFIG, LENGTH, Settings
from lite_vton_training.loop.sealed_folder import SEAL, seal, sealed_files
from lite_vton_training.loop.shard_files import UnfitError

__all__ = ["begin", "is_begun", "length_of", "save"]

_STEP = "step.txt"
_CHECKPOINT = "checkpoint"
_OLD = "checkpoint.old"
"""Where versions to 0.1 put the checkpoint aside before the next one took its place."""

_PICKLES = (".pkl", ".bin", ".distcp")
"""Suffixes of what accelerate and torch write."""

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class _Checkpoint:
    """A checkpoint that is as it was written: the names of its files, and how many steps are done."""

    names: frozenset[str]
    done: int


def is_begun(folder: Path) -> bool:
    """Whether there is a checkpoint of the run in `folder`, readable or not."""
    return (folder / _CHECKPOINT).is_dir()


def length_of(folder: Path) -> dict[str, int]:
    """The settings in `lite_vton_training.loop.run_settings.LENGTH` that the last checkpoint of the run in `folder` was
    taken with.

    `UserError` where it is damaged, or there is none.
    """
    checkpoint = folder / _CHECKPOINT
    _verified(checkpoint)
    written = read_object(checkpoint / CONFIG)
    length = {name: value for name in LENGTH if isinstance(value := written.get(name), int)}
    if len(length) < len(LENGTH):
        raise _unusable(checkpoint, f"{CONFIG} does not say how many steps the run has")
    return length


def begin(accelerator: Accelerator, held: Held, settings: Settings, folder: Path, resume: bool) -> int:
    """The first step to run: 0 in a folder made ready, or that of the checkpoint, which is loaded.

    Raises `UserError`, in every process, for a checkpoint or a log that was changed, lost or belongs to other settings.
    """
    found = _by_the_first(accelerator, lambda: _found(settings, folder) if resume else None)
    if found is None:
        _by_the_first(accelerator, lambda: _start(settings, folder))
        return 0
    try:
        _in_all(lambda: held.load(folder / _CHECKPOINT, found.names, found.done))
    except OSError as error:
        raise _unusable(folder / _CHECKPOINT, str(error)) from error
    _by_the_first(accelerator, lambda: _go_on(settings, folder))
    return found.done


def save(accelerator: Accelerator, held: Held, settings: Settings, done: int, folder: Path) -> None:
    """Put a whole checkpoint in the old one's place: a kill leaves one of the two.

    Raises `UserError`, in every process and the old one untouched, when there is no room for it.
    """
    try:
        with ExitStack() as placed:
            drafts: list[Path | None] = [None]
            if accelerator.is_main_process:
                drafts = [placed.enter_context(whole_folder(folder / _CHECKPOINT, _is_checkpoint))]
            fresh = broadcast_object_list(drafts)[0]  # all processes write into the first one's
            assert fresh is not None
            _in_all(lambda: held.save(fresh))
            if accelerator.is_main_process:
                (fresh / _STEP).write_text(str(done), encoding="utf-8")
                (fresh / CONFIG).write_text(settings.text, encoding="utf-8")
                shutil.copyfile(folder / LOG, fresh / LOG)
                seal(fresh)
        accelerator.wait_for_everyone()
    except (OSError, SafetensorError, UserError) as error:  # each writer of the checkpoint has its own
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{folder} has no room for the checkpoint after step {done - 1} ({reason}): "
            "free some space and resume; the one before it is kept"
        ) from error


def _start(settings: Settings, folder: Path) -> None:
    for leftover in (_CHECKPOINT, _OLD):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    (folder / LOG).unlink(missing_ok=True)
    write_text(folder / CONFIG, settings.text)


def _found(settings: Settings, folder: Path) -> _Checkpoint | None:
    """The checkpoint to go on from; None where the run was ended before its first."""
    checkpoint, old = folder / _CHECKPOINT, folder / _OLD
    if not checkpoint.is_dir() and old.is_dir():
        old.rename(checkpoint)
    if not checkpoint.is_dir():
        _refuse_lost(folder)
        return None
    found = _verified(checkpoint)
    settings.refuse_another(folder, found.done)
    log = checkpoint / LOG
    if not (folder / LOG).is_file():
        raise UserError(f"{folder / LOG} is missing: copy {log} there, and resume")
    with (folder / LOG).open("rb") as written:
        if written.read(log.stat().st_size) != log.read_bytes():
            raise UserError(
                f"{folder / LOG} does not begin with the steps of the checkpoint: copy {log} over it, and resume"
            )
    return found


def _refuse_lost(folder: Path) -> None:
    """`UserError` for a run that is further than its first checkpoint and has none, and for what is no run."""
    log, config = folder / LOG, folder / CONFIG
    if not log.is_file() and not config.is_file():
        return
    try:
        every = read_object(config).get("checkpoint_every")
    except UserError as error:
        raise UserError(f"{error}, and there is no checkpoint: start anew in another folder") from error
    if not isinstance(every, int):
        raise UserError(f"{config} is not a training run's: choose another folder")
    steps = log.read_bytes().count(b"\n") - 1 if log.is_file() else 0
    if steps > every:
        raise UserError(
            f"{folder} has the log of {steps} steps and no checkpoint: "
            f"put its folder {_CHECKPOINT} back, or start anew in another folder"
        )


def _verified(checkpoint: Path) -> _Checkpoint:
    """`UserError` for a checkpoint that is not as it was written."""
    if not os.path.lexists(checkpoint / SEAL) and any(file.suffix in _PICKLES for file in checkpoint.rglob("*")):
        raise _pickled(checkpoint)
    try:
        names = sealed_files(checkpoint)
        missing = sorted({_STEP, CONFIG, LOG} - names)
        if missing:
            raise UserError(f"{SEAL} does not list {missing[0]}")
        step = (checkpoint / _STEP).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise _unusable(checkpoint, str(error)) from error
    if not (step.isascii() and step.isdigit() and len(step) < 10 and int(step) > 0):
        raise _unusable(checkpoint, f"{_STEP} holds no number of steps")
    return _Checkpoint(names, int(step))


def _go_on(settings: Settings, folder: Path) -> None:
    """Drop what was logged after the checkpoint was taken: those steps are about to be run again."""
    os.truncate(folder / LOG, (folder / _CHECKPOINT / LOG).stat().st_size)
    write_text(folder / CONFIG, settings.text)  # it may have been given more steps


def _pickled(checkpoint: Path) -> UserError:
    return UserError(
        f"{checkpoint} was written by an older lite-vton, as pickles, which can hold code and are not read: "
        "finish the run with the version that began it, or start anew in another folder"
    )


def _unusable(checkpoint: Path, reason: str) -> UserError:
    reason = " ".join(reason.split())[:250]
    return UserError(
        f"{checkpoint} cannot be resumed ({reason}): put back a copy of it as it was, or start anew in another folder"
    )


def _is_checkpoint(folder: Path) -> bool:
    return (folder / _STEP).is_file()


def _by_the_first(accelerator: Accelerator, work: Callable[[], _Found]) -> _Found:
    """What `work` gives in the first process, given to all; so is its `UserError`, and its `OSError` as one."""
    answer: list[object] = [None, None]
    if accelerator.is_main_process:
        try:
            answer = [work(), None]
        except UserError as error:
            answer = [None, str(error)]
        except OSError as error:  # the others wait for an answer
            answer = [None, f"{error.filename or 'the run'}: {error.strerror or error}: see to that, and resume"]
    found, refusal = broadcast_object_list(answer)
    if refusal is not None:
        raise UserError(refusal)
    return found  # type: ignore[no-any-return]  # what the first process sent


def _in_all(work: Callable[[], None]) -> None:
    """Do it in every process, and raise an `OSError` in all if one of them could not."""
    reasons: list[str] = []
    try:
        work()
    except (OSError, SafetensorError, UnfitError) as error:
        reasons = [str(error)]
    failed = gather_object(reasons)
    if failed:
        raise OSError(failed[0])
