"""Whether an engine holds the bundle's weights, found out without running it.

TensorRT-RTX (1.7) writes the constants of a network behind its plan: laid out anew, padded, merged and split, but each
value as it was. So the values are compared as a multiset: every weight of the bundle, rounded to the precision, has to
be found among the constants as often as it occurs. A layer scaled by a few per cent is found out; swapped values are
not.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError

__all__ = ["foreign_weights"]

_FILES: Mapping[str, tuple[str, ...]] = {
    "unet": ("unet",),
    "autoencoder": ("vae_encoder", "vae_decoder"),
    "image_encoder": ("image_encoder",),
}
"""Which components the weights of each safetensors file go into."""
_DTYPES: Mapping[str, tuple[type[np.floating[Any]], type[np.unsignedinteger[Any]]]] = {
    "fp32": (np.float32, np.uint32),
    "fp16": (np.float16, np.uint16),
}
_TINY = 1e-6  # onnxruntime's float16 converter (1.32) moves what is nearer to zero than float16's least value
_BINS = 24  # bits
_CHUNK = 1 << 24  # values counted at once


def foreign_weights(bundle: Bundle, precision: str) -> tuple[str, ...]:
    """What is wrong with the weights of a bundle's engines, a line for each of its safetensors files; empty if nothing.

    Looks at matrices and convolutions, not at vectors. Raises `UserError` for an engine without known constants, and
    `KeyError` for a precision engines are not built in.
    """
    if bundle.manifest.weights is None:
        return ()
    faults = []
    for name, components in _FILES.items():
        file = bundle.root / bundle.manifest.weights / f"{name}.safetensors"
        if not file.is_file():
            continue
        present = _Values(precision)
        for component in components:
            present.add(bundle.path(f"tensorrt-{precision}/{component}/model.engine"))
        missing = total = 0
        for weight in _matrices(file):
            total += weight.size
            missing += present.take(weight)
        if missing:
            faults.append(f"{missing} of {total} values of {file.name} are not in the engines: export them again")
    return tuple(faults)


class _Values:
    """How often each value occurs. float16 is counted exactly, float32 in 2^24 hashed bins."""

    def __init__(self, precision: str) -> None:
        self._dtype, self._bits = _DTYPES[precision]
        self._counts = np.zeros(1 << min(_BINS, 8 * self._dtype().itemsize), np.int64)

    def add(self, engine: Path) -> None:
        """Count the constants of an engine, and whatever stands between them."""
        with engine.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            begin = content.find(b"\0", content.rfind(b"header {\n  version ="))
            if begin < 0:
                raise UserError(
                    f"{engine} holds no constants that can be read without a GPU: verify it where there is one"
                )
            begin -= begin % 8  # constants begin at multiples of 8
            size = (len(content) - begin) // 8 * 8 // self._dtype().itemsize
            for start in range(0, size, _CHUNK):
                offset = begin + start * self._dtype().itemsize
                values = np.frombuffer(
                    content[offset : offset + min(_CHUNK, size - start) * self._dtype().itemsize], self._bits
                )
                self._counts += np.bincount(self._bin(values), minlength=len(self._counts))

    def take(self, weight: NDArray[np.floating[Any]]) -> int:
        """Take a weight's values out, and say how many there were not."""
        values = weight.astype(self._dtype).ravel()
        values = values[np.abs(values) > _TINY]
        bins, wanted = np.unique(self._bin(values.view(self._bits)), return_counts=True)
        taken = np.minimum(self._counts[bins], wanted)
        self._counts[bins] -= taken
        return int((wanted - taken).sum())

    def _bin(self, bits: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.unsignedinteger[Any]]:
        if bits.dtype == np.uint16:
            return bits
        return (bits * np.uint32(2654435769)) >> np.uint32(32 - _BINS)  # Knuth's multiplicative hash


def _matrices(file: Path) -> Iterator[NDArray[np.floating[Any]]]:
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as weights:
        for name in weights.keys():  # noqa: SIM118  # not a mapping
            tensor = weights.get_tensor(name)
            if sum(side > 1 for side in tensor.shape) > 1:
                yield tensor
