"""A folder of results belongs to its settings: no other's pictures, checkpoints or figures are taken for its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lite_vton.atomic import write_text
from lite_vton.errors import UserError

__all__ = ["claim"]


def claim(file: Path, settings: Mapping[str, object], others: str) -> None:
    """Write `settings` into `file`, and make its folder.

    Raises `UserError` if the file is there and holds other settings; `others` says whose the folder is then.
    """
    text = json.dumps(settings, indent=2) + "\n"
    if file.is_file() and file.read_text(encoding="utf-8") != text:
        raise UserError(f"{file.parent} holds {others}: remove it, or choose another --folder")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, text)
