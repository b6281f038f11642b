"""A file or a folder, written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lite_vton.atomic.claims import Claim, claim, is_vacant, refuse_at_work
from lite_vton.atomic.placing import remove
from lite_vton.errors import UserError

__all__ = ["whole_file", "whole_files", "whole_folder", "write_text"]

_LONGEST_SUFFIX = 16


@contextmanager
def whole_file(file: str | Path, *, is_shared: bool = False) -> Iterator[Path]:
    """A path to write a file at, of the same suffix; it becomes `file` when the block ends well, else vanishes.

    It has the mode that the umask says, whatever wrote it. A link at `file` is followed. With `is_shared` several
    processes may write the same content at once, and the last file stays.
    Errors are `claim`'s, and a `UserError` where `file` is a folder or a device.
    """
    target = Path(os.path.realpath(file))
    if target.exists() and not target.is_file():
        raise UserError(f"{file} is {'a folder' if target.is_dir() else 'no regular file'}: name a file")
    suffix = target.suffix if len(target.suffix) <= _LONGEST_SUFFIX else ""
    with claim(target.with_name(secrets.token_hex(8)) if is_shared else target) as mine:
        draft = mine.draft(suffix)
        try:
            yield draft
            draft.chmod(_usual_mode(mine))
            mine.place(draft, target)
        finally:
            remove(draft)


@contextmanager
def whole_files(folder: str | Path, name: str) -> Iterator[Path]:
    """An empty folder to fill; its files take their places below `folder` when the block ends well, else vanish.

    Each file is placed whole, one after the other, also over an existing one. Several processes may do so in one
    folder at a time, each under a `name` of its own.
    """
    with claim(Path(folder) / name) as mine:
        draft = mine.draft()
        try:
            draft.mkdir()
            yield draft
            for file in sorted(path for path in draft.rglob("*") if path.is_file()):
                target = Path(folder) / file.relative_to(draft)
                target.parent.mkdir(parents=True, exist_ok=True)
                mine.place(file, target)
        finally:
            remove(draft)


def write_text(file: str | Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with whole_file(file) as draft:
        draft.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(folder: str | Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """An empty folder to fill; it becomes `folder` when the block ends well, else vanishes.

    An existing folder is replaced in one step if it is vacant or `is_ours` knows it for something this command once
    wrote; else, and for a link, that is a `UserError`. Files in it get the mode that the umask says.
    Other errors are `claim`'s.
    """
    target = Path(folder)
    with claim(target) as mine:
        _check_ours(target, is_ours)
        draft = mine.draft()
        try:
            draft.mkdir()
            yield draft
            mode = _usual_mode(mine)
            for file in draft.rglob("*"):
                if file.is_file() and not file.is_symlink():
                    file.chmod(mode)
            _check_ours(target, is_ours)
            mine.place(draft, target)
        finally:
            remove(draft)


def _usual_mode(mine: Claim) -> int:
    """The mode that the umask says. safetensors makes files that only their owner may read."""
    probe = mine.draft()
    probe.touch()
    mode = probe.stat().st_mode & 0o777
    probe.unlink()
    return mode


def _check_ours(target: Path, is_ours: Callable[[Path], bool]) -> None:
    if target.is_symlink():
        raise UserError(f"{target} is a link: give the path it points to")
    if os.path.ismount(target):
        raise UserError(f"{target} is where another file system is mounted: name a folder inside it")
    if not os.path.lexists(target) or (target.is_dir() and is_vacant(target)):
        return
    if not is_ours(target):
        raise UserError(f"{target} exists and holds something else, so it is not replaced: choose another output")
    refuse_at_work(target)
