"""Write a bundle: into a temporary folder beside the target, renamed when all of it is there."""

from __future__ import annotations

import errno
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lite_vton.bundle.manifest import MANIFEST_NAME, FileRecord, Manifest
from lite_vton.bundle.reading import REPORTS, Bundle, sha256_of
from lite_vton.errors import UserError

__all__ = ["record_files", "write_bundle", "write_manifest"]

_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)
"""What the disk says about the target; any other OSError is somebody else's and passes unchanged."""


@contextmanager
def write_bundle(target: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill; becomes `target` when the block ends well, or vanishes if it raises anything at all.

    `target` ending in `.zip` is packed into one file. What is written must open as a bundle. An existing
    bundle is kept until the new one is ready, and replaced only with `overwrite`; anything that is not a
    bundle is never replaced. A full disk is reported as a `UserError`.
    """
    target = Path(target)
    _refuse(target, overwrite)
    staging = target.with_name(f".{target.name}.partial-{secrets.token_hex(4)}")
    made = [parent for parent in target.parents if not parent.exists()]
    folder = staging / "bundle"
    try:
        folder.mkdir(parents=True)
        yield folder
        Bundle.open(folder, check=False)
        ready = _pack(folder, staging / "bundle.zip") if target.suffix == ".zip" else folder
        _refuse(target, overwrite)
        _replace(ready, target, staging / "replaced")
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        raise UserError(f"cannot write {target} ({error.strerror}): nothing was kept; choose another output") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for parent in made:
            with suppress(OSError):  # not empty: the bundle is in it
                parent.rmdir()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` into a folder that holds everything else already."""
    (folder / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Size and sha256 of every file below `folder`, by POSIX path, without the manifest and the reports."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: FileRecord(sha256=sha256_of(path), bytes=path.stat().st_size)
        for name, path in names.items()
        if name not in (MANIFEST_NAME, *REPORTS)
    }


def _refuse(target: Path, overwrite: bool) -> None:
    if target.is_symlink():
        raise UserError(f"{target} is a link: give the path it points to")
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not overwrite:
        raise UserError(f"{target} exists: choose another output or pass --overwrite")
    if not _was_ours(target):
        raise UserError(f"{target} exists and is no bundle, so it is not overwritten: choose another output")


def _was_ours(target: Path) -> bool:
    """Whether a bundle, however damaged, lies at `target`."""
    if target.is_dir():
        return (target / MANIFEST_NAME).is_file()
    if not zipfile.is_zipfile(target):
        return False
    with zipfile.ZipFile(target) as archive:
        return any(name.rsplit("/", 1)[-1] == MANIFEST_NAME for name in archive.namelist())


def _pack(folder: Path, target: Path) -> Path:
    # Stored, not deflated: weights hardly compress, and a port can then map a file inside the zip.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return target


def _replace(ready: Path, target: Path, old: Path) -> None:
    """Put `ready` at `target`; on failure in between, what was there is put back."""
    try:
        if target.exists():
            target.rename(old)
        ready.rename(target)
    except BaseException:
        # An interrupt between the two renames must not cost the old bundle.
        with suppress(OSError):
            if old.exists() and not target.exists():
                old.rename(target)
        raise
