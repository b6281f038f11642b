"""One try-on on one backend: encode, sample, decode, and put the person's own pixels back. numpy only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig
from lite_vton.tryon.detail import carry_detail
from lite_vton.tryon.inputs import TryOnInputs, latent_mask, to_picture
from lite_vton_runtimes.base import Array, Runtime
from lite_vton_runtimes.sampling.sampler import Step, sample
from lite_vton_runtimes.sampling.tiles import decoded_in_tiles

__all__ = ["TryOnResult", "decode", "encode", "try_on"]


@dataclass(frozen=True)
class TryOnResult:
    """What one try-on gives.

    `picture`  (H, W, 3) uint8 RGB: repainted where the mask is 1, with the garment's fine detail carried over unless
               that was declined; the person's own pixels, exactly, elsewhere
    `decoded`  (1, 3, H, W) float32 in about [-1, 1], all of it as the decoder painted it
    `steps`    every sampling step, noisiest first
    """

    picture: NDArray[np.uint8]
    decoded: Array
    steps: tuple[Step, ...]


def try_on(
    runtime: Runtime,
    inputs: TryOnInputs,
    model: ModelConfig,
    latent_scale: float,
    *,
    method: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    detail: bool = True,
    on_step: Callable[[Step], None] | None = None,
) -> TryOnResult:
    """Dress the person of `inputs` with the garment of `inputs`, whatever backend `runtime` is.

    Sampling starts from the noised latent of the masked person, which already holds the warped garment. The U-Net
    sees the noisy latent, then the conditions `model` tells it in that order (`UNetConfig.told`; what is not among
    them is not even encoded), and the garment's tokens where the model has an image encoder. `latent_scale` multiplies
    latents after encoding and divides them before decoding. `method` and `steps` are the model's own unless given.
    `detail` carries stripes and letters over from the warp (`lite_vton.tryon.detail`), which takes one more decoding.
    `on_step` is called after each step; what it raises stops the sampling and is passed on.

    Raises `UserError` for options or inputs that do not fit, and for a network that answers NaN or infinity.
    """
    latents = _encoded(runtime, inputs, model, latent_scale)
    masked_person = latents["masked_person"]
    conditions = _conditions(inputs, latents, model.unet.told)
    tokens = _tokens(runtime, inputs)

    done: list[Step] = []
    unet = runtime.components["unet"]
    for step in sample(
        unet,
        conditions,
        masked_person,
        model.schedule,
        method=model.default_sampler if method is None else method,
        steps=model.default_steps if steps is None else steps,
        seed=seed,
        tokens=tokens,
    ):
        _check_finite(step.eps, "unet", runtime)
        done.append(step)
        if on_step is not None:
            on_step(step)

    reconstruction = decode(runtime, masked_person, latent_scale, model.decoder_tile) if detail else None
    decoded = decode(runtime, done[-1].x_prev, latent_scale, model.decoder_tile)
    painted = decoded if reconstruction is None else carry_detail(decoded, inputs.masked_person, reconstruction)
    repaint = inputs.mask[0, 0, :, :, None] > 0.5
    picture = np.where(repaint, to_picture(painted), to_picture(inputs.person))
    return TryOnResult(picture, decoded, tuple(done))


def encode(runtime: Runtime, pictures: Array, latent_scale: float, batch: int = 1) -> Array:
    """(N, 3, H, W) in [-1, 1] to scaled latents (N, C, h, w): the mean of the moments, no noise.

    The encoder takes `batch` pictures a call; the last one is repeated to fill the last call up.
    """
    count = len(pictures)
    filled = np.concatenate([pictures, np.repeat(pictures[-1:], -count % batch, axis=0)])
    calls = [filled[first : first + batch] for first in range(0, len(filled), batch)]
    encoder = runtime.components["vae_encoder"]
    moments = np.concatenate([encoder({"sample": call})["latent_parameters"] for call in calls])[:count]
    _check_finite(moments, "vae_encoder", runtime)
    return np.ascontiguousarray(moments[:, : moments.shape[1] // 2]) * np.float32(latent_scale)


def decode(runtime: Runtime, latent: Array, latent_scale: float, tile: tuple[int, int] | None = None) -> Array:
    """Scaled latent (1, C, h, w) to its picture (1, 3, H, W), not clipped; in tiles where the decoder takes those."""
    decoder = runtime.components["vae_decoder"]

    def run(part: Array) -> Array:
        return decoder({"latent_sample": part})["sample"]

    unscaled = latent / np.float32(latent_scale)
    picture = run(unscaled) if tile is None else decoded_in_tiles(run, unscaled, tile)
    _check_finite(picture, "vae_decoder", runtime)
    return picture


def _encoded(runtime: Runtime, inputs: TryOnInputs, model: ModelConfig, latent_scale: float) -> dict[str, Array]:
    """The latent (1, C, h, w) of each picture the U-Net is told, and of the masked person, where sampling starts."""
    pictures = {"masked_person": inputs.masked_person}
    if "pose" in model.unet.told:
        pictures["pose"] = inputs.pose
    latents = encode(runtime, np.concatenate(list(pictures.values())), latent_scale, model.encoder_batch)
    return {name: latents[index : index + 1] for index, name in enumerate(pictures)}


def _conditions(inputs: TryOnInputs, latents: Mapping[str, Array], told: Sequence[str]) -> Array:
    masked_person = latents["masked_person"]
    known = {"mask": latent_mask(inputs.mask, inputs.mask.shape[2] // masked_person.shape[2]), **latents}
    unknown = [name for name in told if name not in known]
    if unknown:
        raise UserError(f"this model is told {unknown[0]!r}, which this lite-vton does not know: upgrade lite-vton")
    return np.concatenate([known[name] for name in told], axis=1)


def _tokens(runtime: Runtime, inputs: TryOnInputs) -> Array | None:
    """What CLIP sees in the garment (1, T, D); None for a model that does not ask it."""
    if "image_encoder" not in runtime.components:
        return None
    if inputs.garment is None:
        raise UserError("this model looks at the garment itself, and the inputs hold none: prepare them with `garment`")
    tokens = runtime.components["image_encoder"]({"pixel_values": inputs.garment})["encoder_hidden_states"]
    _check_finite(tokens, "image_encoder", runtime)
    return tokens


def _check_finite(values: Array, component: str, runtime: Runtime) -> None:
    # Cast to uint8, NaN would become a picture; a narrow float format overflowing is the usual way to get there.
    if not np.isfinite(values).all():
        raise UserError(f"{component} on {runtime.name} answered NaN or infinity: verify the bundle or use fp32")
