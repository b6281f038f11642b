"""Checkpoints where Hugging Face's client keeps them: `models--owner--name/snapshots/HASH`, links to blobs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lite_vton.atomic import scratch_folder
from lite_vton.errors import UserError

__all__ = ["checkpoint_at", "linkless"]

_MODEL = "models--"


def checkpoint_at(path: Path) -> Path:
    """`path` itself, or the snapshot in it where it is a model's folder of the cache, or a cache with one model.

    The snapshot is the one that `refs/main` names, or the only one. Raises `UserError` where the choice is open.
    """
    if not path.is_dir():
        return path
    if path.name == "snapshots":
        return _snapshot(path)
    if (path / "snapshots").is_dir() and (path.name.startswith(_MODEL) or (path / "blobs").is_dir()):
        return _snapshot(path / "snapshots")
    cache = path / "hub" if (path / "hub").is_dir() else path
    models = sorted(folder for folder in cache.glob(f"{_MODEL}*") if (folder / "snapshots").is_dir())
    if not models:
        return path
    if len(models) > 1:
        names = ", ".join(folder.name for folder in models[:5])
        raise UserError(f"{path} is a cache of {len(models)} models ({names}): name the folder of one of them")
    return _snapshot(models[0] / "snapshots")


@contextmanager
def linkless(snapshot: Path) -> Iterator[Path]:
    """A snapshot's files in a folder of the model's name, for readers that follow no links; any other folder as it is.

    Only links to the model's own blobs are followed. They become hard links where the file system can.
    """
    model = snapshot.parent.parent
    blobs = (model / "blobs").resolve()
    if snapshot.parent.name != "snapshots" or not blobs.is_dir():
        yield snapshot
        return
    with scratch_folder() as temporary:
        folder = temporary / (model.name.rpartition("--")[2] or snapshot.name)
        for file in snapshot.rglob("*"):
            blob = file.resolve()
            if not file.is_file() or not (blob.parent == blobs or blob.is_relative_to(snapshot.resolve())):
                continue
            place = folder / file.relative_to(snapshot)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                place.hardlink_to(blob)
            except OSError:  # another file system
                shutil.copyfile(blob, place)
        yield folder


def _snapshot(snapshots: Path) -> Path:
    found = sorted(folder for folder in snapshots.iterdir() if folder.is_dir())
    main = snapshots.with_name("refs") / "main"
    if main.is_file():
        current = main.read_text(encoding="utf-8", errors="replace").strip()
        named = [folder for folder in found if folder.name == current]
        if named:
            return named[0]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(f"{snapshots} holds no snapshot: download the model again")
    names = ", ".join(folder.name for folder in found[:5])
    raise UserError(f"{snapshots} holds {len(found)} snapshots ({names}): name the folder of one of them")
