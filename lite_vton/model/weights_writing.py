"""A safetensors file written one weight after the other, so that single precision never lies in memory as a whole."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import torch

from lite_vton.model.finite_weights import finite_float32

__all__ = ["write_weights"]

_ALIGNMENT = 8  # bytes; the format's own, of its header's length


def write_weights(weights: Mapping[str, torch.Tensor], file: Path, metadata: Mapping[str, str], source: str) -> None:
    """Write weights in float32, sorted by name: equal weights and metadata give equal bytes.

    Raises `UserError`, naming `source`, for a weight that is not finite in float32, `OSError` where there is no room.
    """
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name in sorted(weights):
        start, end = end, end + 4 * weights[name].numel()
        header[name] = {"dtype": "F32", "shape": list(weights[name].shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with file.open("wb") as opened:
        opened.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(weights):
            tensor = finite_float32(weights[name], name, source).contiguous()
            opened.write(tensor.flatten().view(torch.uint8).numpy().data)
