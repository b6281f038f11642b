"""Whether an engine holds the bundle's weights, found out without running it.

TensorRT-RTX (1.7) writes the constants of a network behind its plan: laid out anew, padded, merged and split, but each
value as it was; only where float32 queries and keys are concerned it multiplies the attention's own scale into their
projections. So the values are compared as a multiset: every weight of the bundle, rounded to the precision, has to be
found among the constants as often as it occurs. A layer scaled by a few per cent is found out; swapped values are not:
those take a rebuild (`lite_vton_export.tensorrt.readback`).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig
from lite_vton_runtimes.tensorrt.engine import read_record

__all__ = ["foreign_weights", "missing_values"]

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
_SCALED = (".to_q.", ".to_k.", ".q_proj.", ".k_proj.")
"""Projections, as diffusers and transformers name them, that attention's scale may be multiplied into."""


def foreign_weights(bundle: Bundle, precision: str) -> tuple[str, ...]:
    """What is wrong with the weights of a bundle's engines, a line for each of its safetensors files; empty if nothing.

    Looks at matrices and convolutions, not at vectors. Raises `UserError` for an engine without known constants, and
    `KeyError` for a precision engines are not built in.
    """
    manifest = bundle.manifest
    if manifest.weights is None:
        return ()
    engines = {name: bundle.path(f"tensorrt-{precision}/{name}/model.engine") for name in manifest.components}
    return missing_values(bundle.root / manifest.weights, engines, manifest.model, precision)


def missing_values(weights: Path, engines: Mapping[str, Path], config: ModelConfig, precision: str) -> tuple[str, ...]:
    """As `foreign_weights`, of the safetensors files in the folder `weights` and of engines by component."""
    faults = []
    heads = _heads(config)
    for name, components in _FILES.items():
        file = weights / f"{name}.safetensors"
        if not file.is_file():
            continue
        # Weights that fp16 keeps in float32 are whole in that.
        wide = any(read_record(engines[component]).float32_products for component in components)
        present = [_Values(kind) for kind in dict.fromkeys((precision, "fp32") if wide else (precision,))]
        for component in components:
            for values in present:
                values.add(engines[component])
        missing = total = 0
        for key, weight in _matrices(file):
            total += weight.size
            scales = _scales(len(weight), heads) if any(part in key for part in _SCALED) else ()
            missing += min((values.found(weight, scales) for values in present), key=lambda it: it.missing).take()
        if missing:
            faults.append(f"{missing} of {total} values of {file.name} are not in the engines: export them again")
    return tuple(faults)


@dataclass(frozen=True)
class _Found:
    """How many of a weight's values are `missing` among `counts`, and where the others are."""

    missing: int
    bins: NDArray[np.intp]
    there: NDArray[np.int64]
    counts: NDArray[np.int64]

    def take(self) -> int:
        """Take those out that are there; how many are not."""
        self.counts[self.bins] -= self.there
        return self.missing


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

    def found(self, weight: NDArray[np.floating[Any]], scales: tuple[np.float32, ...] = ()) -> _Found:
        """A weight's values, by whichever of 1 and `scales` most are there."""
        best: _Found | None = None
        for scale in (np.float32(1), *scales):
            values = (weight.astype(self._dtype) * self._dtype(scale)).ravel()
            values = values[np.abs(values) > _TINY]
            bins, wanted = self._count(self._bin(values.view(self._bits)))
            there = np.minimum(self._counts[bins], wanted)
            missing = int((wanted - there).sum())
            if best is None or missing < best.missing:
                best = _Found(missing, bins, there, self._counts)
            if not missing:
                break
        assert best is not None
        return best

    def _count(self, bins: NDArray[np.unsignedinteger[Any]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Which bins there are, and how often."""
        if bins.size < len(self._counts) // 16:  # sorting few is faster than going through all there could be
            found, wanted = np.unique(bins, return_counts=True)
            return found.astype(np.intp), wanted
        counts = np.bincount(bins, minlength=len(self._counts))
        found = np.flatnonzero(counts)
        return found, counts[found]

    def _bin(self, bits: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.unsignedinteger[Any]]:
        if bits.dtype == np.uint16:
            return bits
        return (bits * np.uint32(2654435769)) >> np.uint32(32 - _BINS)  # Knuth's multiplicative hash


def _heads(config: ModelConfig) -> tuple[int, ...]:
    """Numbers of attention heads in a model; its autoencoder, where it has attention, has one."""
    tower = config.image_encoder
    return tuple({1, config.unet.attention_heads, *(() if tower is None else (tower.heads,))})


def _scales(width: int, heads: tuple[int, ...]) -> tuple[np.float32, ...]:
    """What queries and keys of `width` channels are multiplied by, one part of 2^23 up or down: float32 rounds it."""
    found = []
    for count in heads:
        scale = np.float32((width / count) ** -0.25)
        found += [scale, np.nextafter(scale, np.float32(0)), np.nextafter(scale, np.float32(1))]
    return tuple(found)


def _matrices(file: Path) -> Iterator[tuple[str, NDArray[np.floating[Any]]]]:
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as weights:
        for name in weights.keys():  # noqa: SIM118  # not a mapping
            tensor = weights.get_tensor(name)
            if sum(side > 1 for side in tensor.shape) > 1:
                yield name, tensor
