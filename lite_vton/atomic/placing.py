"""A finished draft takes the place of what was there; a journal where that takes two steps."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

from lite_vton.atomic.exchange import exchange

__all__ = ["place", "recover", "remove", "settle"]

_JOURNAL = ".journal"
_LONGEST_JOURNAL = 1 << 16  # bytes; three names
_PATIENCE_S = 2.0
"""How long to try again to empty a folder: a killed command's workers may write there for a moment more."""


def place(draft: Path, target: Path, base: Path) -> None:
    """Put `draft`, a file or folder in the workspace of `base`, at `target`; what was there is left in the workspace.

    Killed at any instruction, `target` is the old or the new one, or `recover` makes it so.
    """
    if not os.path.lexists(target):
        draft.rename(target)
        return
    settle(draft)  # on disk before the old one is given up
    if not draft.is_dir() and not target.is_dir():
        draft.replace(target)
    elif not exchange(draft, target):
        _in_two_steps(draft, target, base)


def _in_two_steps(draft: Path, target: Path, base: Path) -> None:
    name = secrets.token_hex(4)
    old, journal = draft.with_name(f"{name}.old"), draft.with_name(f"{name}{_JOURNAL}")
    content = {"target": os.path.relpath(target, base), "new": draft.name, "old": old.name}
    unfinished = draft.with_name(f"{name}.unfinished")
    unfinished.write_text(json.dumps(content), encoding="utf-8")
    settle(unfinished)
    unfinished.rename(journal)
    target.rename(old)
    try:
        draft.rename(target)
    except BaseException:  # a Ctrl-C between the two must not cost the old one; if this fails, the journal stays
        with suppress(OSError):
            old.rename(target)
        raise
    journal.unlink()


def recover(workspace: Path, base: Path) -> None:
    """Complete what the journals in the workspace of `base` say was begun; `OSError` where that fails.

    A journal may come with somebody else's folder: it fills a name that is free, and only below `base`.
    """
    for journal in sorted(workspace.glob(f"*{_JOURNAL}")):
        try:
            if not journal.is_file() or journal.stat().st_size > _LONGEST_JOURNAL:
                continue
            content = json.loads(journal.read_text(encoding="utf-8"))
            target = base / str(content["target"])
            parts = [workspace / Path(str(content[key])).name for key in ("new", "old")]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        inside = target.parent.resolve().is_relative_to(base.resolve()) and target.name not in ("", "..")
        for part in parts:
            if inside and not os.path.lexists(target) and os.path.lexists(part):
                part.rename(target)


def settle(path: Path) -> None:
    """Wait until a file, or every file of a folder, is on disk."""
    for file in [path] if not path.is_dir() else sorted(path.rglob("*")):
        if file.is_file() and not file.is_symlink():
            descriptor = os.open(file, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or folder of ours, also one that is read-only; what cannot be removed is left to the next command.

    Links are removed, not followed.
    """
    end = time.monotonic() + _PATIENCE_S
    while os.path.lexists(path):
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError:
            if time.monotonic() > end:
                return
            _make_writable(path)
            time.sleep(0.02)


def _make_writable(path: Path) -> None:
    """Open the folders of a tree, and on Windows its files too, so that they can be emptied."""
    for folder, _, files in os.walk(path):
        for name in ("", *(files if sys.platform == "win32" else ())):
            with suppress(OSError):
                Path(folder, name).chmod(stat.S_IRWXU)
