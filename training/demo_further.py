"""Goes on with the demo weights: teacher and student, who know drawings, learn photographs beside them.

`training.demo` begins with nothing. Here the encoder stays as it is, unless a recipe says how it learns, perhaps with
more latent channels (`training.widening`). Each network is taught by `training.few_steps`' `truth` alone, which asks
for the picture from states of its own sampling. The usual loss noises the picture itself, and of a few hundred
photographs a network soon reads the answer off the noise (docs/method.md, "On photographs"). `just
train-demo-further` runs it, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from safetensors import safe_open

from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import ASSETS, Networks, load_networks
from lite_vton.presets import AutoencoderTinyConfig, preset
from training.autoencoder import some_pictures, train_autoencoder
from training.bfloat16 import bf16_pays, in_bf16
from training.channel_weights import channel_weights
from training.claimed_folder import claim
from training.demo_finish import finish_decoder, write_weights
from training.demo_record import write_record
from training.few_steps import FewStepConfig, train_few_steps
from training.latents import LatentPairs, kept_pairs
from training.loop import LoopConfig
from training.mix.kinds import Amounts, encode_kinds, pictures_by_kind, shown_to_autoencoder
from training.mix.sources import Sources
from training.stages import Clock, stage
from training.weights_digest import weights_digest
from training.widening import widened_autoencoder, widened_unet, with_latent_channels

__all__ = ["FURTHER", "Further", "Lesson", "go_on"]


@dataclass(frozen=True)
class Lesson:
    """What a preset's network is taught: to sample in each of `counts` steps. One step is the warm start's answer."""

    preset: str
    counts: tuple[int, ...]
    loop: LoopConfig

    @property
    def name(self) -> str:
        """For people, and of the lesson's folder."""
        return f"{self.preset} in {' or '.join(map(str, self.counts))}"


@dataclass(frozen=True)
class Further:
    """Everything the weights depend on beside those gone on with and the photographs.

    `autoencoder` is how both its halves learn first; None leaves the encoder, and with it all latents. `lessons` follow
    one another; in new latents an error counts by what it does to the picture. The decoder is then tuned on
    `decoder_pairs` samples of the preset `decoder_of`.
    """

    amounts: Amounts
    autoencoder: LoopConfig | None
    lessons: tuple[Lesson, ...]
    decoder: LoopConfig
    decoder_of: str
    decoder_pairs: int


_LOOP = LoopConfig(steps=2500, batch_size=16, learning_rate=6e-4, warmup_steps=100, ema_decay=0.995)
FURTHER = Further(
    amounts=Amounts(drawn=4000, variants=8, mended=1, seed=20271),
    autoencoder=None,
    lessons=(
        Lesson("demo", (1,), _LOOP),
        Lesson("demo", (8, 4), replace(_LOOP, steps=1200, learning_rate=4e-4)),
        Lesson("demo-teacher", (8, 4, 1), replace(_LOOP, steps=600)),
    ),
    decoder=LoopConfig(steps=4000, batch_size=4, learning_rate=4e-4, ema_decay=0.998, checkpoint_every=500),
    decoder_of="demo",
    decoder_pairs=4200,
)


def go_on(
    folder: Path,
    assets: Path,
    start: Mapping[str, Networks],
    before: Mapping[str, object],
    further: Further = FURTHER,
    sources: Sources = Sources(),  # noqa: B008  # frozen
) -> None:
    """Teach `start`, by the names of their presets, in `folder`; fp16 weights and `recipe.json` go to `assets`.

    All of `start` share one autoencoder; its latents may have fewer channels than the presets', if it is to learn.
    `before` is the record of how they were made.
    """
    claim(folder / "recipe.json", asdict(further) | {"from": _digests(start)}, "a run of another recipe")
    clock = Clock(folder / "minutes.json")
    kinds = pictures_by_kind(folder, further.amounts, sources, preset(further.decoder_of))
    taken = dict(start)
    if further.autoencoder is not None:
        shown = list(shown_to_autoencoder(kinds, sources, preset(further.decoder_of)))
        taken = _with_autoencoder(further.autoencoder, start, shown, folder, clock)
    taught = taken[further.decoder_of]

    def encoded() -> LatentPairs:
        with torch.autocast("cpu", torch.bfloat16, enabled=further.decoder.bf16):
            return encode_kinds(kinds, taught.autoencoder, taught.latent_scale)

    pairs = kept_pairs(folder / "latents.safetensors", encoded)
    channels = None
    if further.autoencoder is not None:
        channels = channel_weights(taught.autoencoder, pairs.x_0[:: max(1, len(pairs) // 64)], taught.latent_scale)
    for lesson in further.lessons:
        _teach(lesson, taken[lesson.preset], pairs, channels, folder, clock)

    finish_decoder(taught, kinds, pairs, further.decoder_pairs, further.decoder, folder, clock)
    write_weights(taken.values(), assets)
    kept = ("encoder",) if further.autoencoder is None else ()
    write_record(assets, asdict(further), clock, kinds, kept, before)


def _with_autoencoder(
    loop: LoopConfig, start: Mapping[str, Networks], shown: Sequence[NDArray[np.uint8]], folder: Path, clock: Clock
) -> dict[str, Networks]:
    """All of `start` as their presets have them, around one autoencoder that has learnt from the pictures `shown`."""
    first = next(iter(start.values()))
    config = preset(first.config.name)
    assert isinstance(first.autoencoder, TinyAutoencoder)
    assert isinstance(config.autoencoder, AutoencoderTinyConfig)
    with stage("autoencoder", loop, clock) as on_step:
        autoencoder, scale = train_autoencoder(
            config,
            shown,
            loop,
            folder / "autoencoder",
            start=widened_autoencoder(first.autoencoder, config.autoencoder, some_pictures(shown)),
            resume=True,
            on_step=on_step,
        )
    made = {}
    for name, networks in start.items():
        assert isinstance(networks.unet, UNet2DConditionModel)
        unet = widened_unet(networks.unet, networks.config, preset(name))
        made[name] = Networks(preset(name), autoencoder.eval(), unet.eval(), scale)
    return made


def _teach(
    lesson: Lesson, networks: Networks, pairs: LatentPairs, channels: torch.Tensor | None, folder: Path, clock: Clock
) -> None:
    assert isinstance(networks.unet, UNet2DConditionModel)
    jumps = FewStepConfig(counts=lesson.counts, substeps=1, method="truth")
    with stage(lesson.name, lesson.loop, clock) as on_step:
        train_few_steps(
            networks.config,
            pairs,
            networks.unet,
            Denoiser(networks.config, networks.unet),
            lesson.loop,
            folder / lesson.name.replace(" ", "-"),
            jumps,
            channels=channels,
            resume=True,
            on_step=on_step,
        )


def _digests(start: Mapping[str, Networks]) -> dict[str, str]:
    return {name: weights_digest(networks.autoencoder, networks.unet) for name, networks in start.items()}


def _networks_in(folder: Path, name: str) -> Networks:
    """Of a preset that comes with weights, those of their kind in `folder`, for latents of however many channels."""
    config = preset(name)
    assert config.shipped_weights is not None
    first, second = (folder / file for file in config.shipped_weights)
    if first.is_file():
        with safe_open(first, framework="pt") as file:
            config = with_latent_channels(config, file.get_slice("to_latent.weight").get_shape()[0])
    return load_networks(config, first, second)


def main() -> None:
    """Command line: where the photographs are, where to work, where to write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photographs", type=Path, required=True, help="folder that `lite-vton data ccp` made")
    parser.add_argument("--garments", type=Path, required=True, help="folder of garments' photos, to learn more from")
    parser.add_argument("--start", type=Path, default=ASSETS, help="folder of the weights to go on from")
    parser.add_argument("--folder", type=Path, default=Path("runs/demo-further"), help="data, checkpoints and logs")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="where the weights go")
    arguments = parser.parse_args()
    further = in_bf16(FURTHER) if bf16_pays() else FURTHER
    presets = {lesson.preset: None for lesson in further.lessons}
    start = {name: _networks_in(arguments.start, name) for name in presets}
    before = json.loads((arguments.start / "recipe.json").read_text(encoding="utf-8"))
    sources = Sources(arguments.photographs, arguments.garments)
    go_on(arguments.folder, arguments.assets, start, before, further, sources)


if __name__ == "__main__":
    main()
