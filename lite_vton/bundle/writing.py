"""Write a bundle: a folder or one file, whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lite_vton.atomic import claim, is_vacant, whole_file, whole_folder
from lite_vton.bundle.manifest import KIND, MANIFEST_NAME, FileRecord, Manifest
from lite_vton.bundle.reading import REPORTS, Bundle, sha256_of
from lite_vton.errors import UserError

__all__ = ["record_files", "write_bundle", "write_manifest"]

_MARK = KIND.encode()
"""What every manifest of ours says of itself, and a damaged one mostly still does."""


@contextmanager
def write_bundle(target: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill; becomes `target` when the block ends well, or vanishes if it raises anything at all.

    `target` ending in `.zip` is packed into one file. What is written must open as a bundle. An existing
    bundle is kept until the new one is ready, and replaced only with `overwrite`; anything that is not a
    bundle is never replaced. A full disk is reported as a `UserError`.
    """
    target = Path(target)
    with claim(target) as mine:
        _refuse(target, overwrite)
        if target.suffix == ".zip":
            folder = mine.draft()
            folder.mkdir()
            yield folder
            Bundle.open(folder, check=False)
            _refuse(target, overwrite)
            with whole_file(target) as packed:
                _pack(folder, packed)
        else:
            with whole_folder(target, _was_ours) as folder:
                yield folder
                Bundle.open(folder, check=False)
                _refuse(target, overwrite)


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
    if not target.exists() or (target.is_dir() and is_vacant(target)):
        return
    if not overwrite:
        raise UserError(f"{target} exists: choose another output or pass --overwrite")
    if not _was_ours(target):
        raise UserError(f"{target} exists and is no bundle, so it is not overwritten: choose another output")


def _was_ours(target: Path) -> bool:
    """Whether a bundle, however damaged, lies at `target`: other programs have a manifest.json too."""
    if target.is_dir():
        manifest = target / MANIFEST_NAME
        return manifest.is_file() and _MARK in manifest.read_bytes()
    if not zipfile.is_zipfile(target):
        return False
    with zipfile.ZipFile(target) as archive:
        return any(name.rsplit("/", 1)[-1] == MANIFEST_NAME for name in archive.namelist())


def _pack(folder: Path, target: Path) -> None:
    # Stored, not deflated: weights hardly compress, and a port can then map a file inside the zip.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
