"""What a run depends on, as JSON in its folder: a run goes on with what it was begun with, or for more steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lite_vton.errors import UserError
from lite_vton_training.loop.json_object import read_object, same

__all__ = ["CONFIG", "LENGTH", "Settings"]

CONFIG = "config.json"

LENGTH = ("steps", "warmup_steps", "checkpoint_every")
"""Settings that may change when a run is given more steps: the last two are chosen in proportion."""


@dataclass(frozen=True)
class Settings:
    """`values` are what the run is asked for; `unsaid` is what holds where an older file is silent."""

    values: Mapping[str, object]
    unsaid: Mapping[str, object]

    @property
    def text(self) -> str:
        """The values as `CONFIG` holds them."""
        return json.dumps(self.values, indent=2) + "\n"

    def refuse_another(self, folder: Path, done: int) -> None:
        """`UserError` if the checkpoint of the run in `folder`, after `done` steps, was not taken with these settings.

        The checkpoint has a copy of its own of what it was taken with. It may have been taken with fewer steps. The
        folder's `config.json` has to be that copy, or for more steps, as a lengthened run leaves it that is killed
        before its next checkpoint.
        """
        copy = folder / "checkpoint" / CONFIG
        taken, written = self._read(copy), self._read(folder / CONFIG)
        differing = _differing(taken, written)
        if differing and not _is_longer(written, taken):
            raise UserError(
                f"{folder / CONFIG} is not what the checkpoint was taken with ({_words(differing, written, taken)}): "
                f"copy {copy} over it, and resume"
            )
        self._refuse_other_values(taken, folder, done)

    def _read(self, file: Path) -> dict[str, object]:
        try:
            return {**_as_json(self.unsaid), **read_object(file)}
        except UserError as error:
            copy = file.parent / "checkpoint" / CONFIG
            raise UserError(f"{error}: copy {copy} there, and resume") from error

    def _refuse_other_values(self, taken: Mapping[str, object], folder: Path, done: int) -> None:
        wanted = _as_json(self.values)
        differing = _differing(taken, wanted)
        if not differing or _is_longer(wanted, taken):
            return
        if "preset" in differing:
            named = f"{taken.get('preset')!r}, not {wanted.get('preset')!r}"
            raise UserError(f"{folder} holds a run of preset {named}: choose another folder")
        if set(differing) <= set(LENGTH) and "steps" in differing and isinstance(taken.get("steps"), int):
            raise UserError(
                f"{folder} was begun with other settings: it is a run of {taken['steps']} steps, of which {done} are "
                f"done, and can be made longer but not shorter: give {taken['steps']} steps or more"
            )
        raise UserError(
            f"{folder} was begun with other settings ({_words(differing, taken, wanted)}): "
            "resume with those, or choose a new folder"
        )


def _as_json(values: Mapping[str, object]) -> dict[str, object]:
    """With lists for tuples."""
    found: dict[str, object] = json.loads(json.dumps(values))
    return found


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    return [name for name in {**one, **other} if not same(one.get(name), other.get(name))]


def _is_longer(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether `one` is `other` with more steps."""
    steps = [each.get("steps") for each in (one, other)]
    more = isinstance(steps[0], int) and isinstance(steps[1], int) and steps[0] > steps[1]
    return more and set(_differing(one, other)) <= set(LENGTH)


def _words(names: list[str], one: Mapping[str, object], other: Mapping[str, object]) -> str:
    """The first of the settings that differ, and what it is in each."""
    name = names[0]
    return f"{name[:40]} {_short(one.get(name))}, not {_short(other.get(name))}"


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
