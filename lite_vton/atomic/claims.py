"""One process at a time writes an output: a workspace beside it, with a lock in it that a kill releases."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lite_vton.atomic.file_lock import try_lock
from lite_vton.atomic.placing import place, recover, remove
from lite_vton.errors import UserError

__all__ = ["AtWorkError", "Claim", "claim", "claim_inside", "complete", "is_vacant", "scratch_folder"]

_PREFIX = ".lite-vton-"
"""A workspace's name begins so. A digest of the output's name follows, as that name may be as long as names can be."""
_LOCK = "lock"
_OPENING = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
_PATIENCE_S = 1.0
"""How long to try again for a lock: another command may hold it for a moment, to look whether its owner lives."""
_LONGEST_NAME = 255  # where the system does not say; bytes, but characters on Windows
_CANNOT_WRITE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTEMPTY,
    errno.EBUSY,
    errno.EXDEV,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EIO,
)
"""What the disk says about an output; any other OSError is somebody else's and passes unchanged."""


class AtWorkError(UserError):
    """Another process is writing this output."""


@dataclass
class Claim:
    """The right to write one output, or into one folder; drafts lie in `workspace`, on the output's own file system."""

    base: Path
    workspace: Path
    _descriptor: int
    _made: list[Path]
    _users: int = 1
    _is_inside: bool = False
    _device: int = field(default=0)

    def draft(self, suffix: str = "") -> Path:
        """A name in the workspace that nothing has: for a file or a folder, to be placed when it is whole."""
        return self.workspace / f"{secrets.token_hex(4)}{suffix}"

    def place(self, draft: Path, target: Path) -> None:
        """Put a finished draft at `target`; what was there goes with the workspace."""
        place(draft, target.parent.resolve() / target.name, self.base)


_held: dict[tuple[int, Path], Claim] = {}
"""By process and workspace: a verb claims its output before its work, and the writer inside claims it again."""
_guard = threading.RLock()


@contextmanager
def claim(output: str | Path) -> Iterator[Claim]:
    """Nobody else writes the file or folder `output` until the block ends.

    Folders above it are made, and go again if nothing came. What a killed command left beside it is removed first.
    Inside a folder that this process has claimed (`claim_inside`), that claim serves.
    `AtWorkError` where another process has the claim. `UserError` for a name that the file system cannot take, and for
    a folder that cannot be made or written to; also later, when the block finds the disk full or read-only.
    """
    target = Path(os.path.abspath(output))  # noqa: PTH100  # Path.resolve would follow a link at `output` itself
    with _told(target):
        _check_name(target)
        mine = _covering(target.parent) or _enter(target, target.parent, _workspace(target.parent, target.name))
    with _used(mine), _told(target):
        yield mine


@contextmanager
def claim_inside(folder: str | Path) -> Iterator[Claim]:
    """Nobody else claims `folder`, which is made and filled in place, until the block ends; otherwise as `claim`."""
    target = Path(os.path.abspath(folder))  # noqa: PTH100
    with _told(target):
        _check_name(target)
        mine = _enter(target, target, _workspace(target, ""))
        mine._is_inside = True
    with _used(mine):
        yield mine


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder among the system's temporary files, for this user alone, gone at the end of the block.

    What killed commands left there goes too.
    """
    base = Path(tempfile.gettempdir())
    workspace = _workspace(base, secrets.token_hex(16))
    mine = _enter(workspace, base, workspace)
    with _used(mine):
        folder = mine.draft()
        folder.mkdir()
        yield folder


def is_vacant(folder: Path) -> bool:
    """Whether nothing is in a folder but workspaces of ours."""
    return not any(not entry.name.startswith(_PREFIX) for entry in folder.iterdir())


def refuse_at_work(folder: Path) -> None:
    """`AtWorkError` where another process has claimed the inside of `folder`; nothing is written there to find out."""
    if not folder.is_dir():
        return
    workspace = _workspace(folder.resolve(), "")
    if (os.getpid(), workspace) in _held or not workspace.is_dir():
        return
    _sweep(workspace, folder)
    if workspace.is_dir():
        raise AtWorkError(f"another lite-vton is writing in {folder}: wait for it, or choose another output")


def complete(output: str | Path) -> None:
    """For whoever reads: where `output` is missing, complete its replacement, which a killed command began."""
    target = Path(os.path.abspath(output))  # noqa: PTH100
    if os.path.lexists(target):
        return
    places = [(target.parent, target.name), *((folder, "") for folder in target.parents)]
    for base, name in places:
        workspace = _workspace(base, name)
        if os.path.isdir(workspace):  # noqa: PTH112  # Path's raises for long names
            _sweep(workspace, base)


def _workspace(base: Path, name: str) -> Path:
    digest = hashlib.sha256(os.fsencode(os.path.normcase(name))).hexdigest()
    return base / f"{_PREFIX}{digest[:16]}"


def _check_name(target: Path) -> None:
    """Refuse names that the file system cannot take."""
    there = next(folder for folder in target.parents if os.path.isdir(folder))  # noqa: PTH112  # Path's raises for long names
    longest = _LONGEST_NAME
    if sys.platform != "win32":
        with suppress(OSError, ValueError):
            longest = os.pathconf(there, "PC_NAME_MAX")
    for name in target.relative_to(there).parts:
        length = len(name) if sys.platform == "win32" else len(os.fsencode(name))
        if length > longest:
            raise UserError(f"the name {name[:24]}... has {length} bytes, {longest} are possible: choose a shorter one")


def _covering(folder: Path) -> Claim | None:
    """This process's claim on a folder above, if drafts can be moved from there; counted as used once more."""
    with _guard:
        real = folder.resolve()
        for (process, _), mine in _held.items():
            if process != os.getpid() or not mine._is_inside or not real.is_relative_to(mine.base):
                continue
            if real.is_dir() and real.stat().st_dev == mine._device:
                mine._users += 1
                return mine
    return None


def _enter(target: Path, base: Path, workspace: Path) -> Claim:
    """Take the claim, this process's own once more if it has it."""
    with _guard:
        made = [folder for folder in (base, *base.parents) if not folder.exists()]
        try:
            base.mkdir(parents=True, exist_ok=True)
            base = base.resolve()
            workspace = base / workspace.name
            mine = _held.get((os.getpid(), workspace))
            if mine is not None:
                mine._users += 1
                return mine
            descriptor = _locked(workspace, base)
            if descriptor is None:
                raise AtWorkError(f"another lite-vton is writing {target}: wait for it, or choose another output")
            try:
                _clear(workspace, base)
                _sweep_neighbours(base, workspace)
            except BaseException:
                os.close(descriptor)
                raise
        except BaseException:
            _unmake(made)
            raise
        mine = Claim(base, workspace, descriptor, made, _device=base.stat().st_dev)
        _held[os.getpid(), workspace] = mine
        return mine


@contextmanager
def _used(mine: Claim) -> Iterator[None]:
    try:
        yield
    finally:
        with _guard:
            mine._users -= 1
            if mine._users == 0:
                del _held[os.getpid(), mine.workspace]
                _leave(mine.workspace, mine.base, mine._descriptor)
                _unmake(mine._made)


def _locked(workspace: Path, base: Path) -> int | None:
    """Make the workspace if need be and lock it; the lock's descriptor, or None where another process has it."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        try:
            base.mkdir(parents=True, exist_ok=True)  # it may go with another command that failed
            with suppress(FileExistsError):
                workspace.mkdir(mode=0o700)  # others may write in the folder above, and photos lie in here
            if workspace.is_symlink():
                raise UserError(f"{workspace} is a link, which lite-vton did not make: remove it")
            descriptor = os.open(workspace / _LOCK, _OPENING, 0o666)
        except FileNotFoundError:  # swept in between
            continue
        # Where there are no locks, everything works but the second command is not kept away.
        if try_lock(descriptor) is not False and _is_still(workspace / _LOCK, descriptor):
            return descriptor
        os.close(descriptor)
        time.sleep(0.02)
    if not workspace.is_dir():
        raise UserError(f"{base} takes no files: choose another place for the output")
    return None


def _is_still(lock: Path, descriptor: int) -> bool:
    """Whether the file that was opened still has its name: else its owner has just removed it."""
    try:
        named = lock.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


def _clear(workspace: Path, base: Path) -> None:
    """Complete and remove what lies in a workspace whose lock we have; `OSError`, and all is kept, if that fails."""
    recover(workspace, base)
    for entry in workspace.iterdir():
        if entry.name != _LOCK:
            remove(entry)


def _leave(workspace: Path, base: Path, descriptor: int) -> None:
    """Remove the workspace; the lock goes last, so that nobody takes what is still being removed for a living one's."""
    try:
        _clear(workspace, base)
    except OSError:  # the next command tries again
        os.close(descriptor)
        return
    if sys.platform == "win32":  # which removes no open file
        os.close(descriptor)
    with suppress(OSError):
        (workspace / _LOCK).unlink()
    with suppress(OSError):  # another command has just made its own lock there
        workspace.rmdir()
    if sys.platform != "win32":
        os.close(descriptor)


def _sweep_neighbours(base: Path, workspace: Path) -> None:
    """Remove what killed commands left in the same folder; those of living ones are locked and stay."""
    with os.scandir(base) as entries:
        found = [Path(e.path) for e in entries if e.name.startswith(_PREFIX) and e.is_dir(follow_symlinks=False)]
    for other in found:
        if other != workspace and (os.getpid(), other) not in _held:
            _sweep(other, base)


def _sweep(workspace: Path, base: Path) -> None:
    with suppress(OSError):
        if sys.platform != "win32" and base.stat().st_mode & stat.S_ISVTX and workspace.stat().st_uid != os.geteuid():
            return  # among the system's temporary files, where anybody can put what looks like ours
        descriptor = os.open(workspace / _LOCK, _OPENING, 0o666)
        if try_lock(descriptor) is True and _is_still(workspace / _LOCK, descriptor):
            _leave(workspace, base, descriptor)
        else:
            os.close(descriptor)


def _unmake(made: list[Path]) -> None:
    """Remove folders that were made for an output, if nothing came into them."""
    for folder in made:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def _told(target: Path) -> Iterator[None]:
    """What the disk has against `target`, as a `UserError`."""
    try:
        yield
    except OSError as error:
        about = error.filename
        inside = isinstance(about, str | bytes) and (
            _PREFIX in os.fsdecode(about) or Path(os.fsdecode(about)) in (target, *target.parents)
        )
        if error.errno not in _CANNOT_WRITE or not (about is None or inside):
            raise
        raise UserError(f"cannot write {target} ({error.strerror}): nothing was kept; choose another output") from error
