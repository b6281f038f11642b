"""What a try-on does between its networks, as ONNX operators: `lite_vton_runtimes.sampling.pipeline`, `sampler`,
`schedule`, `detail`.

Written in ONNX's textual form, a line a node. Signal levels are computed in float64 and rounded to float32 last, in the
order of `lite_vton_runtimes.sampling.schedule` and `lite_vton_runtimes.sampling.sampler`, so that the coefficients are
theirs to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import parser

from lite_vton.presets.config import ModelConfig, NoiseSchedule
from lite_vton.tryon.detail import AGREEMENT, COARSE
from lite_vton_runtimes.sampling.schedule import alpha_bar, timesteps

__all__ = ["Around", "Encoding", "Glue", "composite", "encoded", "fixed_schedule", "loop", "noised", "schedule"]


@dataclass(frozen=True)
class Glue:
    """Nodes, a line each, and the constants they take by name. Values are global: later glue takes them by name."""

    text: str = ""
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """The nodes of the text, each called after what it gives."""
        graph = parser.parse_graph(f"glue () => () {{ {self.text} }}")
        for node in graph.node:
            node.name = f"glue/{node.output[0]}"
        return list(graph.node)


@dataclass(frozen=True)
class Around:
    """Glue before and after a network."""

    before: Glue
    after: Glue


@dataclass(frozen=True)
class Encoding(Around):
    """The same, of an encoder; `calls` names what it is given, a call each."""

    calls: tuple[str, ...]


def encoded(config: ModelConfig, latent_scale: float) -> Encoding:
    """Pictures for the encoder; `masked_person_latent` and `conditions` of its answers `moments_<call>`."""
    pictures = ["masked_person", *(["pose"] if "pose" in config.unet.told else [])]
    batch, channels, scale = config.encoder_batch, config.autoencoder.latent_channels, config.autoencoder.downscale
    filled = pictures + pictures[-1:] * (-len(pictures) % batch)
    together = [filled[first : first + batch] for first in range(0, len(filled), batch)]
    # One alone is taken as it is: OpenVINO drops a concatenation of one, and the input has both names then.
    calls = tuple(call[0] if batch == 1 else f"pictures_{number}" for number, call in enumerate(together))
    named = zip(calls, together, strict=True)
    before = [f"{name} = Concat <axis = 0> ({', '.join(call)})" for name, call in named if batch > 1]
    answers = ", ".join(f"moments_{number}" for number in range(len(calls)))
    after = [
        f"latent_mask = MaxPool <kernel_shape = [{scale}, {scale}], strides = [{scale}, {scale}]> (mask)",
        f"moments = Concat <axis = 0> ({answers})",
        "means = Slice(moments, first_channel, past_mean, channel_axis)",
        "latents = Mul(means, latent_scale)",
    ]
    constants: dict[str, NDArray[Any]] = {
        "first_channel": np.array([0], np.int64),
        "past_mean": np.array([channels], np.int64),
        "channel_axis": np.array([1], np.int64),
        "latent_scale": np.float32(latent_scale).reshape(()),
    }
    for number, name in enumerate(pictures):
        constants[f"index_{name}"] = np.array([number], np.int64)
        after.append(f"{name}_latent = Gather <axis = 0> (latents, index_{name})")
    told = [f"{name}_latent" if name in pictures else f"latent_{name}" for name in config.unet.told]
    after.append(f"conditions = Concat <axis = 1> ({', '.join(told)})")
    return Encoding(_glue(before), _glue(after, constants), calls)


def schedule(noise: NoiseSchedule) -> Glue:
    """From `steps` (1,) int64 the tables of `fixed_schedule`, computed as `lite_vton_runtimes.sampling.schedule` does,
    in float64.
    """
    lines = [
        "trip_count = Squeeze(steps)",
        "numbers = Range(zero, trip_count, one)",
        "numbers_wide = Cast <to = 11> (numbers)",
        "steps_wide = Cast <to = 11> (trip_count)",
        "stride = Div(total, steps_wide)",
        "passed = Mul(numbers_wide, stride)",
        "left = Sub(total, passed)",
        "left_whole = Round(left)",
        "visited = Sub(left_whole, one_wide)",
        "timesteps = Cast <to = 7> (visited)",
        "level_wide = Gather <axis = 0> (alpha_bars, timesteps)",
        "level_after = Slice(level_wide, second, past_all)",
        "level_next = Concat <axis = 0> (level_after, clean)",
    ]
    for name, of in (("now", "level_wide"), ("next", "level_next")):
        lines += [
            f"lost_{name} = Sub(one_wide, {of})",
            f"signal_{name}_wide = Sqrt({of})",
            f"noise_{name}_wide = Sqrt(lost_{name})",
            f"signal_{name} = Cast <to = 1> (signal_{name}_wide)",
            f"noise_{name} = Cast <to = 1> (noise_{name}_wide)",
        ]
    constants: dict[str, NDArray[Any]] = {
        "zero": np.array(0, np.int64),
        "one": np.array(1, np.int64),
        "total": np.array(noise.num_train_timesteps, np.float64),
        "one_wide": np.array(1, np.float64),
        "alpha_bars": alpha_bar(noise),
        "second": np.array([1], np.int64),
        "past_all": np.array([noise.num_train_timesteps], np.int64),
        "clean": np.array([1], np.float64),
    }
    return _glue(lines, constants)


def fixed_schedule(noise: NoiseSchedule, steps: int) -> Glue:
    """As constants (steps,): the timestep of each step, and the shares of signal and noise now and after it."""
    visited = timesteps(noise, steps)
    now = alpha_bar(noise)[visited]
    following = np.append(now[1:], 1.0)
    constants: dict[str, NDArray[Any]] = {
        "trip_count": np.array(steps, np.int64),
        "zero": np.array(0, np.int64),
        "timesteps": visited,
    }
    for name, level in (("now", now), ("next", following)):
        constants[f"signal_{name}"] = np.sqrt(level).astype(np.float32)
        constants[f"noise_{name}"] = np.sqrt(1.0 - level).astype(np.float32)
    return Glue("", constants)


def noised() -> Glue:
    """`noisy`, where sampling starts: the masked person's latent, noised to the first timestep."""
    lines = [
        "first_signal = Gather <axis = 0> (signal_now, first_step)",
        "first_noise = Gather <axis = 0> (noise_now, first_step)",
        "kept = Mul(first_signal, masked_person_latent)",
        "drawn = Mul(first_noise, noise)",
        "noisy = Add(kept, drawn)",
    ]
    return _glue(lines, {"first_step": np.array(0, np.int64)})


def loop() -> Around:
    """The body of the loop around the U-Net, a DDIM step of `lite_vton_runtimes.sampling.methods`: from `index` and `x`
    to `x_prev`.

    It counts for itself up to `trip_count`. Where the Loop is given that number, TensorRT-RTX (1.7) adds a counter
    whose name holds how much the process has built before, so that no second engine has the bytes of the first.
    """
    before = [
        "index_next = Add(index, one_more)",
        "going_on = Less(index_next, trip_count)",
        "at = Unsqueeze(index, leading)",
        "timestep = Gather <axis = 0> (timesteps, at)",
        "signal = Gather <axis = 0> (signal_now, index)",
        "lost = Gather <axis = 0> (noise_now, index)",
        "signal_prev = Gather <axis = 0> (signal_next, index)",
        "lost_prev = Gather <axis = 0> (noise_next, index)",
        "unet_sample = Concat <axis = 1> (x, conditions)",
    ]
    after = [
        "eps_share = Mul(lost, eps)",
        "x_clean = Sub(x, eps_share)",
        "x_0 = Div(x_clean, signal)",
        "x_0_share = Mul(signal_prev, x_0)",
        "eps_prev = Mul(lost_prev, eps)",
        "x_prev = Add(x_0_share, eps_prev)",
    ]
    constants: dict[str, NDArray[Any]] = {"leading": np.array([0], np.int64), "one_more": np.array(1, np.int64)}
    return Around(_glue(before, constants), _glue(after))


def composite(config: ModelConfig) -> Glue:
    """`picture`, of `decoded` and `reconstruction`: detail carried over, the person's own pixels outside the mask."""
    kernel = _gaussian(COARSE * config.height)
    margin = len(kernel) // 2
    blur = _blurred(kernel, config.height, config.width)
    lines = [
        "apart = Sub(decoded, reconstruction)",
        'framed = Pad <mode = "reflect"> (apart, margins)',
        *blur.text.splitlines(),
        "squared = Mul(coarse, coarse)",
        "disagreement = ReduceMean <keepdims = 1> (squared, colours)",
        "scaled = Div(disagreement, minus_agreement)",
        "trust = Exp(scaled)",
        "lost_detail = Sub(masked_person, reconstruction)",
        "carried = Mul(trust, lost_detail)",
        "painted = Add(decoded, carried)",
        "repaint = Greater(mask, half)",
        "mixed = Where(repaint, painted, person)",
        "lifted = Add(mixed, unit)",
        "levels = Mul(lifted, half_white)",
        "clipped = Clip(levels, black, white)",
        "whole = Round(clipped)",
        "upright = Transpose <perm = [0, 2, 3, 1]> (whole)",
        "one_picture = Squeeze(upright, batch)",
        "picture = Cast <to = 2> (one_picture)",
    ]
    constants: dict[str, NDArray[Any]] = {
        "margins": np.array([0, 0, margin, margin] * 2, np.int64),
        **blur.constants,
        "colours": np.array([1], np.int64),
        "minus_agreement": np.array(-(AGREEMENT**2), np.float32),
        "half": np.array(0.5, np.float32),
        "unit": np.array(1.0, np.float32),
        "half_white": np.array(127.5, np.float32),
        "black": np.array(0.0, np.float32),
        "white": np.array(255.0, np.float32),
        "batch": np.array([0], np.int64),
    }
    return _glue(lines, constants)


def _blurred(kernel: NDArray[np.float32], height: int, width: int) -> Glue:
    """`coarse`, of `framed`: sums of shifted pictures, for a convolution would count as a network's product."""
    lines: list[str] = []
    constants: dict[str, NDArray[Any]] = {}
    for given, taken, axis, size in (("framed", "along", 3, width), ("along", "coarse", 2, height)):
        constants[f"{taken}_axis"] = np.array([axis], np.int64)
        parts = [f"{taken}_part_{tap}" for tap in range(len(kernel))]
        for tap, part in enumerate(parts):
            constants |= {f"{part}_start": np.array([tap], np.int64), f"{part}_stop": np.array([tap + size], np.int64)}
            constants[f"{part}_weight"] = np.array(kernel[tap], np.float32)
            lines += [
                f"{part}_shifted = Slice({given}, {part}_start, {part}_stop, {taken}_axis)",
                f"{part} = Mul({part}_shifted, {part}_weight)",
            ]
        # One by one, so that no more than two of them are in memory.
        sums = [parts[0], *(f"{taken}_to_{tap}" for tap in range(1, len(kernel) - 1)), taken]
        lines += [f"{sums[tap]} = Add({sums[tap - 1]}, {parts[tap]})" for tap in range(1, len(kernel))]
    return _glue(lines, constants)


def _gaussian(deviation: float) -> NDArray[np.float32]:
    """The kernel of OpenCV's GaussianBlur on float32, its length chosen as OpenCV does: four deviations a side."""
    import cv2

    return np.asarray(cv2.getGaussianKernel(round(deviation * 8 + 1) | 1, deviation, cv2.CV_32F)[:, 0], np.float32)


def _glue(lines: list[str], constants: Mapping[str, NDArray[Any]] | None = None) -> Glue:
    return Glue("\n".join(lines), constants or {})
