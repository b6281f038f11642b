"""Weights are written whole or not at all, and equal weights as equal bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from lite_vton.atomic import whole_file
from lite_vton.errors import UserError

__all__ = ["write_weights"]


def write_weights(tensors: Mapping[str, torch.Tensor], file: Path, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file of the mode that the umask says; folders above it are made.

    `UserError` where there is no room; what was there is then as it was.
    """
    with whole_file(file) as draft:
        try:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft, dict(metadata))
        except SafetensorError as error:  # how safetensors reports a full disk
            raise UserError(f"cannot write {file} ({error}): free some space, or choose another output") from error
        _sort_metadata(draft)


def _sort_metadata(file: Path) -> None:
    """safetensors 0.8 writes metadata in the order of a hash map, which is another in every process."""
    with file.open("r+b") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= length
        opened.seek(8)
        opened.write(text.ljust(length))
