"""A Core AI asset on disk, opened only if it is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError

if TYPE_CHECKING:
    from coreai.authoring.asset import AIModelAsset

__all__ = ["opened_asset"]


def opened_asset(path: Path) -> AIModelAsset:
    """The asset in the folder `path` (`.aimodel`); a `UserError` where its program is not the one that was saved.

    The asset's own hash is looked at first, because coreai-core 1.0.0b2 ends the whole process at a program cut short.
    """
    from coreai.authoring.asset import AIModelAsset

    program, digest = path / "main.mlirb", path / "main.hash"
    try:
        whole = hashlib.sha256(program.read_bytes()).digest() == digest.read_bytes()
    except OSError as error:
        raise UserError(f"{path} is no whole Core AI asset ({error.strerror}): export it again") from error
    if not whole or not AIModelAsset.is_valid(path):
        raise UserError(f"{path} is damaged, its program is not the one that was saved: export it again")
    return AIModelAsset.load(path)
