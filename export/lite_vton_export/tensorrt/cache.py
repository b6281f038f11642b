"""Built engines, kept under what they were built from; never under a name alone, which is how stale ones are run."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lite_vton.atomic import AtWorkError, whole_folder
from lite_vton.errors import UserError
from lite_vton_runtimes.tensorrt.engine import (
    ENGINE_NAME,
    RECORD_NAME,
    EngineRequest,
    check_engine,
    read_record,
    write_engine,
)

__all__ = ["CACHE_VARIABLE", "cache_folder", "engine_from_cache"]

CACHE_VARIABLE = "LITE_VTON_ENGINE_CACHE"
"""Names the folder of the cache; "off" for none."""
_KEPT = 2
"""Engines of one network and precision; the oldest go first. A full-size U-Net's has half a gigabyte."""

_logger = logging.getLogger(__name__)


def cache_folder() -> Path | None:
    """Where engines are kept: what `CACHE_VARIABLE` says, else below the platform's folder for caches."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return None if named == "off" else Path(named).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local"))
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return base.expanduser() / "lite-vton" / "engines"


def engine_from_cache(
    request: EngineRequest, build: Callable[[], memoryview], target: Path, cache: Path | None
) -> Path:
    """Put the engine of `request` and its record into the folder `target`, from `cache` or by `build`; its path.

    A rebuild although something of that name was there logs one line with the reason: which fields of the request
    changed, or that the kept engine is damaged. `cache` may be None. A cache that cannot be written to is not an error.
    Two processes that want the same engine at once both build it, and one of them is kept.
    """
    if cache is None:
        return write_engine(request, build(), target)
    # The names may come from somebody else's bundle.
    shelf = cache / re.sub(r"[^\w-]", "_", f"{request.model}-{request.component}-{request.precision}")
    entry = shelf / request.key
    reason = _take(entry, target, request)
    if reason is None:
        _logger.info("the engine of %s in %s is the cached one", request.component, request.precision)
        return target / ENGINE_NAME
    if reason:
        _logger.warning("building the engine of %s in %s again: %s", request.component, request.precision, reason)
    path = write_engine(request, build(), target)
    try:
        _keep(target, entry, request)
    except UserError as error:
        _logger.warning("the engine is not cached: %s", error)
    return path


def _take(entry: Path, target: Path, request: EngineRequest) -> str | None:
    """Copy the kept engine to `target`; why it cannot be taken if so, None if it could, empty if there is none.

    What is checked is the copy: others may write to the cache meanwhile.
    """
    if not entry.is_dir():
        for other in _by_age(entry.parent):
            with suppress(UserError):
                return f"{', '.join(read_record(other / ENGINE_NAME).differences(request))} changed"
        return ""
    target.mkdir(parents=True, exist_ok=True)
    try:
        for name in (ENGINE_NAME, RECORD_NAME):
            shutil.copyfile(entry / name, target / name)
        os.utime(entry)  # in use, so not among the oldest
        reason = _unusable(target, request)
    except FileNotFoundError:
        reason = "the cached one is damaged"
    if reason is not None:
        for name in (ENGINE_NAME, RECORD_NAME):
            (target / name).unlink(missing_ok=True)
    return reason


def _unusable(folder: Path, request: EngineRequest) -> str | None:
    """What is wrong with the engine in a folder; None if it is whole and the one of `request`."""
    try:
        record = read_record(folder / ENGINE_NAME)
        check_engine(folder / ENGINE_NAME, record)
    except UserError:
        return "the cached one is damaged"
    changed = record.differences(request)
    return None if not changed else f"{', '.join(changed)} changed"


def _by_age(shelf: Path) -> list[Path]:
    """Entries of one network and precision, newest first."""
    entries = [path for path in shelf.glob("*") if path.is_dir() and not path.name.startswith(".")]
    return sorted(entries, key=_age, reverse=True)


def _age(entry: Path) -> int:
    try:
        return entry.stat().st_mtime_ns
    except FileNotFoundError:  # another process has just cleared it away
        return 0


def _keep(made: Path, entry: Path, request: EngineRequest) -> None:
    """Copy a finished engine into the cache: whole or not at all, whoever else is writing or reading."""
    if _unusable(entry, request) is None:  # another process was faster: its engine is the same
        return
    with suppress(AtWorkError), whole_folder(entry, lambda _: True) as draft:  # the same, at this moment
        for name in (ENGINE_NAME, RECORD_NAME):
            shutil.copyfile(made / name, draft / name)
    for old in _by_age(entry.parent)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
