"""What Python answers, in one npz that the package's own tests are held against: `references.npz`, keys as below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.presets.config import NoiseSchedule
from lite_vton.tryon.detail import carry_detail
from lite_vton.tryon.inputs import latent_mask, to_network, to_picture
from lite_vton_runtimes.sampling.methods import METHODS
from lite_vton_runtimes.sampling.noise import gaussian
from lite_vton_runtimes.sampling.sampler import sample
from lite_vton_runtimes.sampling.schedule import timesteps
from lite_vton_runtimes.sampling.tiles import decoded_in_tiles

Array = NDArray[np.float32]

SEEDS = (0, 1, 7, 2**31, 2**32, 2**53 - 1, 2**64 + 5, 2**200 + 12345678901234567890)
STEPS = (1, 2, 3, 7, 8, 20, 25, 48, 600)
SCHEDULE = NoiseSchedule()


def write_references(folder: Path) -> None:
    np.savez_compressed(folder / "references.npz", **dict(entries()))


def entries() -> Iterator[tuple[str, NDArray[Any]]]:
    for seed in SEEDS:
        draw = gaussian(seed)
        yield f"noise.{seed}", np.concatenate([draw((3, 1000)).ravel(), draw((57_001,))])
    for steps in STEPS:
        yield f"timesteps.{steps}", timesteps(SCHEDULE, steps)
    yield from samples()
    yield from pictures()
    yield from details()
    yield from tiles()


def samples() -> Iterator[tuple[str, NDArray[Any]]]:
    """`sample.<method>.<steps>` is the last latent, `start` and `conditions` what it was made of."""
    random = np.random.default_rng(0)
    start, conditions = (random.standard_normal((1, c, 8, 6), dtype=np.float32) for c in (4, 9))
    yield "start", start
    yield "conditions", conditions
    for method in METHODS:
        for steps in (1, 2, 5):
            done = sample(halves, conditions, start, SCHEDULE, method=method, steps=steps, seed=3)
            yield f"sample.{method}.{steps}", [step.x_prev for step in done][-1]


def halves(inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
    """A U-Net that anybody can compute to the last bit: half the noisy latent and a quarter of what follows it."""
    given = np.asarray(inputs["sample"], np.float32)
    return {"out_sample": given[:, :4] * np.float32(0.5) + given[:, 4:8] * np.float32(0.25)}


def pictures() -> Iterator[tuple[str, NDArray[Any]]]:
    random = np.random.default_rng(1)
    photo = random.integers(0, 256, (32, 24, 3), dtype=np.uint8)
    mask = (random.random((1, 1, 32, 24)) < 0.02).astype(np.float32)
    painted = random.uniform(-1.3, 1.3, (1, 3, 32, 24)).astype(np.float32)
    yield "photo", photo
    yield "photo.network", to_network(photo)
    yield "mask", mask
    yield "mask.latent", latent_mask(mask, 8)
    yield "painted", painted
    yield "painted.composite", np.where(mask[0, 0, :, :, None] > 0.5, to_picture(painted), photo)


def details() -> Iterator[tuple[str, NDArray[Any]]]:
    """`detail.<H>.out` of `.painted`, `.pasted` and `.reconstruction`, which differ in the right half."""
    for height, width in ((64, 48), (256, 192)):
        random = np.random.default_rng(height)
        pasted = random.uniform(-1, 1, (1, 3, height, width)).astype(np.float32)
        reconstruction = (0.8 * pasted).astype(np.float32)
        painted = reconstruction + random.normal(0, 0.05, pasted.shape).astype(np.float32)
        painted[..., width // 2 :] = random.uniform(-1, 1, (1, 3, height, width - width // 2))
        given = {"painted": painted, "pasted": pasted, "reconstruction": reconstruction}
        yield from ((f"detail.{height}.{name}", array) for name, array in given.items())
        yield f"detail.{height}.out", carry_detail(painted, pasted, reconstruction)


def tiles() -> Iterator[tuple[str, NDArray[Any]]]:
    """`tiles.<h>x<w>` of the latent `tiles`, by a decoder that paints where in a tile it is."""
    latent = np.random.default_rng(2).standard_normal((1, 4, 40, 30), dtype=np.float32)
    yield "tiles", latent
    for tile in ((40, 30), (16, 30), (20, 16)):
        yield f"tiles.{tile[0]}x{tile[1]}", decoded_in_tiles(enlarged, latent, tile)


def enlarged(latent: Array) -> Array:
    """Three of the latent's channels, twice as large, the row within the tile added."""
    picture = latent[:, :3].repeat(2, axis=2).repeat(2, axis=3)
    rows = np.arange(picture.shape[2], dtype=np.float32)[:, None] / np.float32(64)
    return np.ascontiguousarray(picture + rows, np.float32)
