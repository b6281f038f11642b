"""Paths out of a manifest or a zip are somebody else's words: they may only name files below the bundle."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from lite_vton.errors import UserError

__all__ = ["confined", "is_confined", "is_inside"]


def is_confined(relative: str) -> bool:
    """Whether `relative` is a plain POSIX path that stays below its folder on every operating system.

    Refused: empty, absolute, `.` or `..` parts, doubled slashes, backslashes, colons (drive letters and
    NTFS streams) and control characters.
    """
    if not relative or relative != relative.strip() or any(c in '\\:<>"|?*' or ord(c) < 32 for c in relative):
        return False
    path = PurePosixPath(relative)
    # PurePosixPath drops `.` and doubled slashes, so a path that changes on the way through held some.
    return not path.is_absolute() and ".." not in path.parts and relative == str(path) and relative != "."


def confined(root: Path, relative: str) -> Path:
    """`root / relative`, or a `UserError` if it would leave `root`, by its spelling or through a link."""
    if not is_confined(relative):
        raise UserError(f"path {relative!r} leaves the bundle: use a plain relative path with forward slashes")
    path = root
    for part in PurePosixPath(relative).parts:
        path = path / part
        if path.is_symlink():
            raise UserError(f"path {relative!r} goes through a link: copy the file into the bundle instead")
    return path


def is_inside(folder: Path, file: Path) -> bool:
    """Whether `file` lies below `folder` once links are followed.

    A snapshot in the hub's cache counts as holding what it links to: `blobs`, beside the folder of all snapshots.
    """
    home, real = folder.resolve(), file.resolve()
    homes = (home, home.parent.parent / "blobs") if home.parent.name == "snapshots" else (home,)
    return any(real.is_relative_to(one) for one in homes)
