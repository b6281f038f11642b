"""What goes into a fused try-on and what comes out, as every format has it."""

from __future__ import annotations

from lite_vton.bundle import ComponentTensors, TensorSpec
from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig

__all__ = ["check_fusable", "fused_name", "fused_tensors"]

_PICTURE = dict.fromkeys(("coreml", "coreai"), ("float32", "RGB, finished crop, whole numbers"))
"""Formats whose finished picture is not of bytes: its dtype and what it is."""


def fused_name(format: str, precision: str) -> str:
    """The folder of a fused artifact, and its name in the manifest."""
    return f"{format}-{precision}-fused"


def check_fusable(config: ModelConfig) -> None:
    """Raise `UserError` for a model whose sampling has no place in one graph."""
    if config.default_sampler != "ddim":
        raise UserError(f"{config.name} samples by {config.default_sampler}, a fused graph by ddim: leave --fused out")
    if config.decoder_tile is not None:
        raise UserError(f"{config.name} decodes in tiles, a fused graph at once: leave --decoder-tile or --fused out")


def fused_tensors(config: ModelConfig, format: str, steps: int | None = None) -> ComponentTensors:
    """The fields of `TryOnInputs` that the model looks at, noise, and the number of steps unless fixed; a picture.

    Core ML has no arrays of bytes, and Core AI is given what Core ML is: there `picture` is float32. `decoded` comes
    out too, as in `lite_vton_runtimes.sampling.pipeline.TryOnResult`: what is compared in numbers, and shows NaN.
    """
    size = (config.height, config.width)

    def tensor(
        name: str, shape: tuple[int, ...], meaning: str, bounds: tuple[float, float] | None = None
    ) -> TensorSpec:
        return TensorSpec(name=name, shape=shape, range=bounds, meaning=meaning)

    picture = (-1.0, 1.0)
    inputs = [
        tensor("person", (1, 3, *size), "RGB crop, kept outside the mask", picture),
        tensor("mask", (1, 1, *size), "1 = repaint", (0.0, 1.0)),
        tensor("masked_person", (1, 3, *size), "RGB crop, the warped garment pasted in", picture),
    ]
    if "pose" in config.unet.told:
        inputs.append(tensor("pose", (1, 3, *size), "RGB picture of the skeleton", picture))
    if config.image_encoder is not None:
        side = config.image_encoder.image_size
        inputs.append(tensor("garment", (1, 3, side, side), "RGB picture of the garment on white", picture))
    inputs.append(tensor("noise", config.latent_shape, "standard normal, the first that the sampler draws"))
    if steps is None:
        last = float(config.schedule.num_train_timesteps)
        inputs.append(TensorSpec(name="steps", shape=(1,), dtype="int64", range=(1.0, last), meaning="sampling steps"))
    dtype, meaning = _PICTURE.get(format, ("uint8", "RGB, finished crop"))
    outputs = (
        TensorSpec(name="picture", shape=(*size, 3), dtype=dtype, range=(0.0, 255.0), meaning=meaning),
        tensor("decoded", (1, 3, *size), "RGB picture as the decoder painted it, not clipped"),
    )
    return ComponentTensors(inputs=tuple(inputs), outputs=outputs)
