"""What a run leaves in its folder: its settings, and a checkpoint that is there whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError

from lite_vton.atomic import whole_folder, write_text
from lite_vton.errors import UserError
from training.weights_held import Held

__all__ = ["Settings", "begin", "save"]


@dataclass(frozen=True)
class Settings:
    """What a run depends on, as JSON: `values` for `config.json`; `unsaid` holds where an older file is silent."""

    values: Mapping[str, object]
    unsaid: Mapping[str, object]


def begin(accelerator: Accelerator, held: Held, settings: Settings, folder: Path, resume: bool) -> int:
    """The first step to run: 0 in a folder made ready, or that of the checkpoint, which is loaded.

    Raises `UserError` for a checkpoint that belongs to other settings or cannot be read.
    """
    checkpoint, old = folder / "checkpoint", folder / "checkpoint.old"
    if accelerator.is_main_process:
        if (
            resume and not checkpoint.is_dir() and old.is_dir()
        ):  # versions to 0.1 put it there, and may have been killed
            old.rename(checkpoint)
        if not (resume and checkpoint.is_dir()):
            _start(settings, folder)
    accelerator.wait_for_everyone()
    return _resume(accelerator, held, settings, folder) if checkpoint.is_dir() else 0


def _start(settings: Settings, folder: Path) -> None:
    for leftover in ("checkpoint", "checkpoint.old"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    (folder / "log.csv").unlink(missing_ok=True)
    write_text(folder / "config.json", json.dumps(settings.values, indent=2) + "\n")


def _resume(accelerator: Accelerator, held: Held, settings: Settings, folder: Path) -> int:
    _refuse_another_run(json.loads((folder / "config.json").read_text(encoding="utf-8")), settings, folder)
    checkpoint = folder / "checkpoint"
    try:
        held.load(checkpoint)
        done = int((checkpoint / "step.txt").read_text(encoding="utf-8"))
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:250]
        raise UserError(f"{checkpoint} cannot be resumed ({reason}): start anew in another folder") from error
    if accelerator.is_main_process:
        _cut_log(folder / "log.csv", done)
    accelerator.wait_for_everyone()
    return done


def _refuse_another_run(written: dict[str, object], settings: Settings, folder: Path) -> None:
    wanted = json.loads(json.dumps(settings.values))
    preset = wanted.get("preset")
    if written.get("preset", preset) != preset:
        raise UserError(f"{folder} holds a run of preset {written['preset']!r}, not {preset!r}: choose another folder")
    if {**json.loads(json.dumps(settings.unsaid)), **written} != wanted:
        raise UserError(f"{folder} was begun with other settings: resume with those, or choose a new folder")


def _cut_log(path: Path, steps: int) -> None:
    """Drop what was logged after the checkpoint was taken; those steps are about to be run again."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    write_text(path, "".join(lines[: steps + 1]))


def save(accelerator: Accelerator, held: Held, done: int, folder: Path) -> None:
    """Put a whole checkpoint in the old one's place: a kill leaves one of the two.

    Raises `UserError`, the old one untouched, when there is no room for it.
    """
    try:
        with ExitStack() as placed:
            drafts: list[Path | None] = [None]
            if accelerator.is_main_process:
                drafts = [placed.enter_context(whole_folder(folder / "checkpoint", _is_checkpoint))]
            fresh = broadcast_object_list(drafts)[0]  # all processes write into the first one's
            held.save(fresh)
            accelerator.wait_for_everyone()
            if accelerator.is_main_process:
                (fresh / "step.txt").write_text(str(done), encoding="utf-8")
        accelerator.wait_for_everyone()
    except (OSError, RuntimeError, SafetensorError, UserError) as error:  # each writer of the checkpoint has its own
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{folder} has no room for the checkpoint after step {done - 1} ({reason}): "
            "free some space and resume; the one before it is kept"
        ) from error


def _is_checkpoint(folder: Path) -> bool:
    return (folder / "step.txt").is_file()
