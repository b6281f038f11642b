"""Goes on with the demo weights: teacher and student, who know drawings, learn photographs beside them.

`training.demo` begins with nothing. Here the encoder stays, and so do latents and every figure that hangs on them; each
network is taught by `training.few_steps`' `truth` alone, which asks for the picture from states of its own sampling.
The usual loss noises the picture itself, and of a few hundred photographs a network soon reads the answer off the noise
(docs/method.md, "On photographs"). `just train-demo-further` runs it, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import ASSETS, Networks, save_networks, shipped_networks
from lite_vton.presets import preset
from training.bfloat16 import bf16_pays
from training.claimed_folder import claim
from training.decoder import tune_decoder
from training.demo_record import write_record
from training.few_steps import FewStepConfig, train_few_steps
from training.latents import LatentPairs, kept_pairs
from training.loop import LoopConfig
from training.mix.kinds import Amounts, encode_kinds, pictures_by_kind, some_of_each
from training.mix.sources import Sources
from training.stages import Clock, stage
from training.weights_digest import weights_digest

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

    `lessons` follow one another. The decoder is then tuned on `decoder_pairs` samples of the preset `decoder_of`.
    """

    amounts: Amounts
    lessons: tuple[Lesson, ...]
    decoder: LoopConfig
    decoder_of: str
    decoder_pairs: int


_LOOP = LoopConfig(steps=2500, batch_size=16, learning_rate=6e-4, warmup_steps=100, ema_decay=0.995)
FURTHER = Further(
    amounts=Amounts(drawn=4000, variants=8, mended=1, seed=20271),
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
    shipped: Mapping[str, Networks],
    before: Mapping[str, object],
    further: Further = FURTHER,
    sources: Sources = Sources(),  # noqa: B008  # frozen
) -> None:
    """Teach `shipped`, by the names of their presets, in `folder`; fp16 weights and `recipe.json` go to `assets`.

    All of `shipped` share one autoencoder and are changed in place. `before` is the record of how they were made.
    """
    taught = shipped[further.decoder_of]
    autoencoder, scale = taught.autoencoder, taught.latent_scale
    claim(folder / "recipe.json", asdict(further) | {"from": _digests(shipped)}, "a run of another recipe")
    clock = Clock(folder / "minutes.json")
    kinds = pictures_by_kind(folder, further.amounts, sources, taught.config)

    def encoded() -> LatentPairs:
        with torch.autocast("cpu", torch.bfloat16, enabled=further.decoder.bf16):
            return encode_kinds(kinds, autoencoder, scale)

    pairs = kept_pairs(folder / "latents.safetensors", encoded)
    for lesson in further.lessons:
        _teach(lesson, shipped[lesson.preset], pairs, folder, clock)

    some, rows = some_of_each(kinds, further.decoder_pairs)
    with stage("decoder", further.decoder, clock) as on_step:
        assert isinstance(autoencoder, TinyAutoencoder)
        tune_decoder(
            taught.config,
            autoencoder,
            scale,
            Denoiser(taught.config, taught.unet),
            some,
            pairs.batch(torch.tensor(rows)),
            further.decoder,
            folder / "decoder",
            resume=True,
            on_step=on_step,
        )
    for networks in shipped.values():
        name = networks.config.name
        first, second = networks.config.shipped_weights or ("autoencoder.safetensors", f"{name}.safetensors")
        save_networks(replace(networks, autoencoder=autoencoder), assets / first, assets / second, torch.float16)
    write_record(assets, asdict(further), clock, kinds, ("encoder",), before)


def _teach(lesson: Lesson, networks: Networks, pairs: LatentPairs, folder: Path, clock: Clock) -> None:
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
            resume=True,
            on_step=on_step,
        )


def _digests(shipped: Mapping[str, Networks]) -> dict[str, str]:
    return {name: weights_digest(networks.autoencoder, networks.unet) for name, networks in shipped.items()}


def main() -> None:
    """Command line: where the photographs are, where to work, where to write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photographs", type=Path, required=True, help="folder that `lite-vton data ccp` made")
    parser.add_argument("--garments", type=Path, required=True, help="folder of garments' photos, to learn more from")
    parser.add_argument("--folder", type=Path, default=Path("runs/demo-further"), help="data, checkpoints and logs")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="where the weights go")
    arguments = parser.parse_args()
    further = _in_bf16(FURTHER) if bf16_pays() else FURTHER
    shipped = {name: shipped_networks(preset(name)) for name in {lesson.preset: None for lesson in further.lessons}}
    before = json.loads((ASSETS / "recipe.json").read_text(encoding="utf-8"))
    go_on(
        arguments.folder, arguments.assets, shipped, before, further, Sources(arguments.photographs, arguments.garments)
    )


def _in_bf16(further: Further) -> Further:
    lessons = tuple(replace(lesson, loop=replace(lesson.loop, bf16=True)) for lesson in further.lessons)
    return replace(further, lessons=lessons, decoder=replace(further.decoder, bf16=True))


if __name__ == "__main__":
    main()
