"""Open a bundle: nothing in it is believed before its paths, sizes and hashes are checked."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.atomic import complete
from lite_vton.bundle.manifest import MANIFEST_NAME, Manifest, parse_manifest
from lite_vton.bundle.paths import confined, is_confined
from lite_vton.errors import UserError

__all__ = ["REPORTS", "Bundle", "load_arrays", "sha256_of"]

REPORTS = ("verify.json", "benchmark.json", "benchmark.csv", "benchmark.md")
"""Written into a finished bundle by later commands, so the manifest does not list them."""
_MOST_TEXT = 64 << 20  # bytes; a manifest or report beyond this is not one of ours


class Bundle:
    """A bundle on disk. Open one with `Bundle.open`."""

    def __init__(
        self,
        root: Path,
        manifest: Manifest,
        extracted: tempfile.TemporaryDirectory[str] | None = None,
        given: Path | None = None,
    ) -> None:
        self.root = root
        """The folder; of a zip, a temporary copy that lives as long as this object."""
        self.given = root if given is None else given
        """What was opened, as the user named it: the folder, or the zip."""
        self.manifest = manifest
        self._extracted = extracted

    @classmethod
    def open(cls, path: str | Path, check: bool = True) -> Bundle:
        """The bundle at `path`, a folder or a `.zip`.

        With `check`, every listed file's size and sha256 are compared; without, only that each is there.
        Raises `UserError` for what is not a bundle, of a newer schema, incomplete, altered or escaping.
        """
        path = Path(path)
        complete(path)
        if path.is_dir():
            bundle = cls(path, _read_manifest(path))
        elif path.is_file() and zipfile.is_zipfile(path):
            bundle = _open_zip(path)
        elif path.exists():
            raise UserError(f"{path} is neither a folder nor a zip: give the bundle that `lite-vton export` wrote")
        else:
            raise UserError(f"{path} does not exist: give the bundle that `lite-vton export` wrote")
        bundle.check(hashes=check)
        return bundle

    def path(self, relative: str) -> Path:
        """Where a file or folder of the bundle lies; a `UserError` if it is not there or leaves the bundle."""
        path = confined(self.root, relative)
        if not path.exists():
            raise UserError(f"{relative} is missing from the bundle {self.root}: export it again")
        return path

    def check(self, hashes: bool = True) -> None:
        """That every listed file is there as it was written; raises `UserError` naming the first that is not."""
        for relative, record in self.manifest.files.items():
            file = self.path(relative)
            if not file.is_file():
                raise UserError(f"{relative} in the bundle {self.root} is not a file: export it again")
            if not hashes:
                continue
            size = file.stat().st_size
            if size != record.bytes:
                raise UserError(
                    f"{relative} has {size} bytes, its manifest says {record.bytes}: copy or export it again"
                )
            if sha256_of(file) != record.sha256:
                raise UserError(f"{relative} was altered (its sha256 is not the manifest's): copy or export it again")
        # An artifact may only point at what was just checked.
        listed = self.manifest.files
        models = [
            (name, files.model)
            for name, artifact in self.manifest.artifacts.items()
            for files in artifact.components.values()
        ]
        for name, model in [*models, *((name, fused.model) for name, fused in self.manifest.fused.items())]:
            if model not in listed and not any(file.startswith(f"{model}/") for file in listed):
                raise UserError(f"{model} of {name} is not listed in the manifest: export it again")

    def arrays(self, relative: str) -> dict[str, NDArray[Any]]:
        """The arrays of one of the bundle's npz files, by key."""
        return load_arrays(self.path(relative))


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file; pickled objects are refused with a `UserError`, never loaded."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, Mapping):
                raise ValueError("not an npz archive")
            return {key: archive[key] for key in archive}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise UserError(f"{path.name} holds no plain arrays ({error}): export the bundle again") from error


def sha256_of(path: Path) -> str:
    """Hex sha256 of one file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(root: Path) -> Manifest:
    path = confined(root, MANIFEST_NAME)
    if not path.is_file():
        raise UserError(f"{root} has no {MANIFEST_NAME}, so it is no bundle: give the folder `lite-vton export` wrote")
    if path.stat().st_size > _MOST_TEXT:
        raise UserError(f"{path} is larger than any manifest: give the folder `lite-vton export` wrote")
    return parse_manifest(path.read_bytes(), str(path))


def _open_zip(path: Path) -> Bundle:
    """Extract exactly what the manifest lists, at most the bytes it lists, and the reports."""
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        for entry in entries:
            if not is_confined(entry):
                raise UserError(f"path {entry!r} in {path} leaves the bundle: do not use this file")
        # People zip the folder itself as often as what is in it.
        prefixes = [e.removesuffix(MANIFEST_NAME) for e in entries if e.rsplit("/", 1)[-1] == MANIFEST_NAME]
        prefix = min(prefixes, key=len, default=None)
        if prefix is None:
            raise UserError(f"{path} has no {MANIFEST_NAME}, so it is no bundle: give what `lite-vton export` wrote")
        try:
            manifest = parse_manifest(
                _read_entry(archive, prefix + MANIFEST_NAME, _MOST_TEXT), f"{path}/{MANIFEST_NAME}"
            )
            extracted = tempfile.TemporaryDirectory(prefix="lite-vton-")
            root = Path(extracted.name)
            limits = {name: record.bytes for name, record in manifest.files.items()}
            limits |= dict.fromkeys((MANIFEST_NAME, *REPORTS), _MOST_TEXT)
            for name, limit in limits.items():
                if prefix + name not in entries:
                    continue  # Bundle.check says which listed file is missing
                target = confined(root, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                _extract(archive, prefix + name, target, limit)
        # zipfile's own words: RuntimeError for an encrypted entry, and for an unknown compression one derived from it.
        except (zipfile.BadZipFile, RuntimeError, EOFError) as error:
            raise UserError(f"{path} is damaged ({error}): copy it again") from error
    return Bundle(root, manifest, extracted, given=path)


def _read_entry(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    with archive.open(name) as source:
        data = source.read(limit + 1)
    if len(data) > limit:
        raise UserError(f"{name} in {archive.filename} is larger than it may be: do not use this file")
    return data


def _extract(archive: zipfile.ZipFile, name: str, target: Path, limit: int) -> None:
    written = 0
    with archive.open(name) as source, target.open("wb") as file:
        while chunk := source.read(1 << 20):
            written += len(chunk)
            if written > limit:  # the sizes in a zip's directory can lie, what comes out cannot
                raise UserError(f"{name} in {archive.filename} is larger than its manifest says: do not use this file")
            file.write(chunk)
