"""What a weights file says of itself, read without loading its weights."""

from __future__ import annotations

from pathlib import Path

from lite_vton.errors import UserError

__all__ = ["metadata_of"]


def metadata_of(file: Path) -> dict[str, str]:
    """The metadata of a safetensors file, empty where it has none; `UserError` for one that is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            metadata: dict[str, str] = opened.metadata() or {}
    except SafetensorError as error:
        raise UserError(f"{file} is not a readable safetensors file ({error}): copy or train it again") from error
    return metadata
