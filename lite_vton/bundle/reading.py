"""Open a bundle: nothing in it is believed before its paths, sizes and hashes are checked."""

from __future__ import annotations

import hashlib
import math
import os
import weakref
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lite_vton.atomic import complete, scratch_folder
from lite_vton.bundle.arrays import load_arrays
from lite_vton.bundle.manifest import MANIFEST_NAME, Manifest, parse_manifest
from lite_vton.bundle.named_files import MODEL_FILES, files_named_by
from lite_vton.bundle.paths import confined, is_confined
from lite_vton.bundle.zip_file import is_zip, opened_zip
from lite_vton.errors import UserError

__all__ = ["REPORTS", "Bundle", "sha256_of"]

REPORTS = ("verify.json", "benchmark.json", "benchmark.csv", "benchmark.md")
"""Written into a finished bundle by later commands, so the manifest does not list them."""
_MOST_NUMBERS = 1 << 28
"""In one tensor: a picture of 8192x8192 has less."""
_MOST_TEXT = 64 << 20  # bytes; a manifest or report beyond this is not one of ours


class Bundle:
    """A bundle on disk. Open one with `Bundle.open`.

    >>> from lite_vton import Bundle
    >>> bundle = Bundle.open("bundle")
    >>> bundle.manifest.model.name, bundle.manifest.height, bundle.manifest.width
    ('tiny', 64, 48)
    >>> bundle.path("onnx-fp16/unet/model.onnx").name
    'model.onnx'
    """

    def __init__(
        self,
        root: Path,
        manifest: Manifest,
        given: Path | None = None,
    ) -> None:
        self.root = root
        """The folder; of a zip, a temporary copy that lives as long as this object."""
        self.given = root if given is None else given
        """What was opened, as the user named it: the folder, or the zip."""
        self.manifest = manifest

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
        elif path.is_file() and is_zip(path):
            bundle = _open_zip(path)
        elif path.exists():
            raise UserError(f"{path} is neither a folder nor a zip: give the bundle that `lite-vton export` wrote")
        else:
            raise UserError(f"{path} does not exist: give the bundle that `lite-vton export` wrote")
        bundle.check(hashes=check)
        return bundle

    def path(self, relative: str) -> Path:
        """Where a file or folder of the bundle lies.

        A `UserError` if it is not there, leaves the bundle, or is neither listed in the manifest nor a report.
        """
        path = confined(self.root, relative)
        if not path.exists():
            raise UserError(f"{relative} is missing from the bundle {self.root}: export it again")
        if relative not in (*REPORTS, MANIFEST_NAME) and not self._lists(relative):
            raise UserError(f"{relative} is not listed in the manifest of {self.root}: export it again")
        return path

    def check(self, hashes: bool = True) -> None:
        """That every listed file is there as it was written, and that a reader opens no other.

        Raises `UserError` naming the first that is not so.
        """
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
        self._check_sizes()
        self._check_models()
        self._check_named_files()

    def _lists(self, relative: str) -> bool:
        """Whether the manifest lists a file, or files below a folder."""
        files = self.manifest.files
        return relative in files or any(file.startswith(f"{relative}/") for file in files)

    def _check_sizes(self) -> None:
        """That no tensor is larger than any of a try-on: readers make arrays as the manifest says."""
        manifest = self.manifest
        for tensors in (*manifest.components.values(), *(fused.tensors for fused in manifest.fused.values())):
            for spec in (*tensors.inputs, *tensors.outputs):
                if math.prod(spec.shape) > _MOST_NUMBERS or min(spec.shape, default=1) < 1:
                    raise UserError(
                        f"the manifest of {self.root} gives {spec.name!r} the shape {list(spec.shape)}: export it again"
                    )

    def _check_models(self) -> None:
        """That each artifact's models are its own: backends find them by the artifact's name, ports by the manifest."""
        for artifact, folder, due, model in self._models():
            if not self._lists(model):
                raise UserError(f"{model} of {folder} is not listed in the manifest: export it again")
            if artifact != due:
                raise UserError(f"the manifest calls {artifact} what {due} is: export it again")
            format = due.partition("-")[0]
            if format not in MODEL_FILES:
                continue  # of a later version: nothing here opens it
            if model != f"{folder}/{MODEL_FILES[format]}":
                raise UserError(f"the manifest gives {model} as the model of {folder}: export it again")

    def _models(self) -> Iterator[tuple[str, str, str, str]]:
        """Each model: its artifact, the folder that it belongs in, how its artifact should be called, its path."""
        for name, artifact in self.manifest.artifacts.items():
            for component, files in artifact.components.items():
                yield name, f"{name}/{component}", f"{artifact.format}-{artifact.precision}", files.model
        for name, fused in self.manifest.fused.items():
            yield name, name, f"{fused.format}-{fused.precision}-fused", fused.model

    def _check_named_files(self) -> None:
        """That what a backend opens beside a model by itself is listed as well: by name, or as part of a folder."""
        listed = self.manifest.files
        for relative in listed:
            folder = relative.rpartition("/")[0]
            for name in files_named_by(self.path(relative)):
                if not self._lists(f"{folder}/{name}" if folder else name):
                    raise UserError(
                        f"{relative} names the file {name!r}, which the manifest does not list: do not use this bundle"
                    )
        folders = {model for *_, model in self._models() if model not in listed}
        if self.manifest.weights is not None:
            folders.add(self.manifest.weights)
        for folder in sorted(folders):
            for file in sorted(self.path(folder).rglob("*")):
                relative = file.relative_to(self.root).as_posix()
                if not file.is_dir() and relative not in listed:
                    raise UserError(f"{relative} is not listed in the manifest: remove it, or export the bundle again")

    def arrays(self, relative: str) -> dict[str, NDArray[Any]]:
        """The arrays of one of the bundle's npz files, by key."""
        return load_arrays(self.path(relative))


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
    with opened_zip(path) as archive, ExitStack() as copy:
        entries = _entries(path, archive)
        # People zip the folder itself as often as what is in it.
        prefixes = [e.removesuffix(MANIFEST_NAME) for e in entries if e.rsplit("/", 1)[-1] == MANIFEST_NAME]
        prefix = min(prefixes, key=len, default=None)
        if prefix is None:
            raise UserError(f"{path} has no {MANIFEST_NAME}, so it is no bundle: give what `lite-vton export` wrote")
        manifest = parse_manifest(_read_entry(archive, prefix + MANIFEST_NAME, _MOST_TEXT), f"{path}/{MANIFEST_NAME}")
        root = copy.enter_context(scratch_folder())
        limits = {name: record.bytes for name, record in manifest.files.items()}
        limits |= dict.fromkeys((MANIFEST_NAME, *REPORTS), _MOST_TEXT)
        for name, limit in limits.items():
            if prefix + name not in entries:
                continue  # Bundle.check says which listed file is missing
            target = confined(root, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            _extract(archive, prefix + name, target, limit)
        bundle = Bundle(root, manifest, given=path)
        weakref.finalize(bundle, _remove, copy.pop_all(), os.getpid())
    return bundle


def _remove(copy: ExitStack, process: int) -> None:
    """Remove an extracted copy, in the process that extracted it; a fork of it leaves the copy alone."""
    if os.getpid() == process:
        copy.close()


def _entries(path: Path, archive: zipfile.ZipFile) -> set[str]:
    """Names of the zip's files, each a plain path and there once: of two, each program unpacks another."""
    entries: set[str] = set()
    for info in archive.infolist():
        # zipfile cuts a name at a zero byte, other programs do not.
        if info.orig_filename.endswith("/"):
            continue
        if info.filename != info.orig_filename or not is_confined(info.filename):
            raise UserError(f"path {info.orig_filename!r} in {path} leaves the bundle: do not use this file")
        if info.filename in entries:
            raise UserError(f"{info.filename} is in {path} twice: do not use this file")
        entries.add(info.filename)
    return entries


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
