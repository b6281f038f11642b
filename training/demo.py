"""The recipe of the demo weights: makes pairs, trains autoencoder, teacher, student, decoder; writes lite_vton/assets.

Pairs are drawn, and made of photographs (`training.mix`) where `--photographs` says where they are. `just train-demo`
runs it and leaves everything it made in runs/demo; a run that was stopped goes on where it was. With `--keep-teacher`
autoencoder and teacher stay as they come with the package, and the student alone is trained.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray

from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import ASSETS, Networks, save_networks, shipped_networks
from lite_vton.presets import ModelConfig, preset
from training.autoencoder import train_autoencoder
from training.bfloat16 import bf16_pays
from training.claimed_folder import claim
from training.decoder import tune_decoder
from training.denoiser import train_denoiser
from training.drawn_pairs import drawn_pictures
from training.latents import LatentPairs, encode_pairs, joined, kept_pairs
from training.loop import LoopConfig
from training.mix.photographs import mended_pictures
from training.mix.sources import Sources, garment_pictures, photo_pictures
from training.pictures import PicturePairs
from training.stages import Clock, stage
from training.starts import Start, starting_unet
from training.weights_digest import weights_digest

__all__ = ["DEMO", "STUDENT_ALONE", "Recipe", "train_demo", "train_demo_student"]


@dataclass(frozen=True)
class Recipe:
    """Everything the weights depend on, but for the photographs themselves.

    `variants` is how many pairs are made of each photo, `mended` how many of each garment's picture, `decoder_pairs`
    how many the decoder is tuned on, as many of each kind.
    """

    pairs: int
    data_seed: int
    variants: int
    mended: int
    teacher_preset: str
    student_preset: str
    autoencoder: LoopConfig
    teacher: LoopConfig
    student: LoopConfig
    decoder: LoopConfig
    decoder_pairs: int
    distill: str = "output"
    start: Start = "random"


DEMO = Recipe(
    pairs=4000,
    data_seed=20251,
    variants=6,
    mended=2,
    teacher_preset="demo-teacher",
    student_preset="demo",
    autoencoder=LoopConfig(
        steps=20000, batch_size=4, learning_rate=5e-4, warmup_steps=500, ema_decay=0.999, checkpoint_every=1000
    ),
    teacher=LoopConfig(steps=5000, batch_size=16, learning_rate=8e-4, warmup_steps=200, ema_decay=0.998),
    student=LoopConfig(steps=4500, batch_size=16, learning_rate=1e-3, warmup_steps=200, ema_decay=0.998),
    decoder=LoopConfig(steps=5000, batch_size=4, learning_rate=3e-4, ema_decay=0.998, checkpoint_every=1000),
    decoder_pairs=2000,
)

STUDENT_ALONE = replace(DEMO, student=replace(DEMO.student, steps=2000), distill="feature", start="slimmed")
"""Of `--keep-teacher`: the start and the distillation that are ahead in docs/results.md. Shipped weights are DEMO's."""

_ANOTHER = "a run of another recipe"


def train_demo(folder: Path, assets: Path, recipe: Recipe = DEMO, sources: Sources = Sources()) -> None:  # noqa: B008
    """Run `recipe` in `folder`, resuming what is there, and write fp16 weights and `recipe.json` to `assets`."""
    teacher_config, student_config = preset(recipe.teacher_preset), preset(recipe.student_preset)
    claim(folder / "recipe.json", asdict(recipe), _ANOTHER)
    kinds = _pictures(folder, recipe, sources, student_config)
    clock = Clock(folder / "minutes.json")

    with stage("autoencoder", recipe.autoencoder, clock) as on_step:
        autoencoder, scale = train_autoencoder(
            student_config,
            list(_of_autoencoder(kinds, sources, student_config)),
            recipe.autoencoder,
            folder / "autoencoder",
            resume=True,
            on_step=on_step,
        )
    pairs = _encoded(kinds, autoencoder, scale)
    with stage("teacher", recipe.teacher, clock) as on_step:
        teacher = train_denoiser(
            teacher_config, pairs, recipe.teacher, folder / "teacher", resume=True, on_step=on_step
        )
    student = _student(recipe, pairs, Denoiser(teacher_config, teacher), folder, clock)

    tuned_on = _some(kinds, recipe.decoder_pairs)
    with stage("decoder", recipe.decoder, clock) as on_step:
        tune_decoder(
            student_config,
            autoencoder,
            scale,
            Denoiser(student_config, student),
            tuned_on,
            encode_pairs(tuned_on, autoencoder, scale),
            recipe.decoder,
            folder / "decoder",
            resume=True,
            on_step=on_step,
        )

    for config, unet in ((teacher_config, teacher), (student_config, student)):
        first, second = config.shipped_weights or ("autoencoder.safetensors", f"{config.name}.safetensors")
        save_networks(Networks(config, autoencoder, unet, scale), assets / first, assets / second, torch.float16)
    _record(assets, recipe, clock, kinds)


def train_demo_student(
    folder: Path,
    assets: Path,
    taught: Networks,
    recipe: Recipe = STUDENT_ALONE,
    sources: Sources = Sources(),  # noqa: B008  # frozen
) -> None:
    """The student alone, from `taught`'s teacher on latents of `taught`'s encoder; the decoder is not tuned again.

    `assets` receives its fp16 weights and `recipe.json`, where `before` is what was recorded of those kept.
    """
    config = preset(recipe.student_preset)
    autoencoder, teacher = taught.autoencoder, Denoiser(taught.config, taught.unet)
    kept = {"kept": weights_digest(autoencoder, teacher.unet)}
    claim(folder / "recipe.json", asdict(recipe) | kept, _ANOTHER)
    clock = Clock(folder / "minutes.json")

    kinds = _pictures(folder, recipe, sources, config)

    def encode() -> LatentPairs:
        return _encoded(kinds, autoencoder, taught.latent_scale)

    pairs = kept_pairs(folder / "latents-of-kept.safetensors", encode)
    student = _student(recipe, pairs, teacher, folder, clock)
    _, name = config.shipped_weights or ("", f"{config.name}.safetensors")
    made = folder / "weights" / name
    save_networks(
        Networks(config, autoencoder, student, taught.latent_scale),
        made.with_name("autoencoder.safetensors"),
        made,
        torch.float16,
    )
    assets.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made, assets / f".{name}.part")
    (assets / f".{name}.part").replace(assets / name)
    _record(assets, recipe, clock, kinds, _recorded(ASSETS / "recipe.json"))


# What it trains on


def _pictures(folder: Path, recipe: Recipe, sources: Sources, config: ModelConfig) -> dict[str, PicturePairs]:
    """By kind, photographs first, where there are any."""
    kinds, backdrops = {}, sources.backdrops()
    if sources.photographs is not None:
        kinds["photographs"] = photo_pictures(sources.photographs, recipe.variants, recipe.data_seed, config, backdrops)
    if backdrops is not None:
        kinds["mended"] = mended_pictures(backdrops, recipe.mended, recipe.data_seed, config.height, config.width)
    kinds["drawn"] = drawn_pictures(folder, recipe.pairs, recipe.data_seed, config)
    return kinds


def _of_autoencoder(
    kinds: dict[str, PicturePairs], sources: Sources, config: ModelConfig
) -> Iterator[NDArray[np.uint8]]:
    """People, a third as many composites, whose grey holes it will meet, and each garment's picture once."""
    for kind, pictures in kinds.items():
        if kind != "mended":
            yield from pictures.person
            yield from pictures.masked_person[::3]
    backdrops = sources.backdrops()
    if backdrops is not None:
        yield from garment_pictures(backdrops, config.height, config.width)


def _encoded(kinds: dict[str, PicturePairs], autoencoder: Autoencoder, scale: float) -> LatentPairs:
    return joined([encode_pairs(pictures, autoencoder, scale) for pictures in kinds.values()])


def _some(kinds: dict[str, PicturePairs], count: int) -> PicturePairs:
    """About `count` pairs, as many of each kind."""
    share = count // len(kinds)
    parts = [vars(pictures.first(share)).values() for pictures in kinds.values()]
    return PicturePairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


# The student, and what is recorded


def _student(recipe: Recipe, pairs: LatentPairs, teacher: Denoiser, folder: Path, clock: Clock) -> UNet2DConditionModel:
    config = preset(recipe.student_preset)
    with stage("student", recipe.student, clock) as on_step:
        return train_denoiser(
            config,
            pairs,
            recipe.student,
            folder / "student",
            distill=recipe.distill,
            teacher=teacher,
            start=starting_unet(recipe.start, config, teacher, recipe.student.seed),
            resume=True,
            on_step=on_step,
        )


def _record(
    assets: Path,
    recipe: Recipe,
    clock: Clock,
    kinds: dict[str, PicturePairs],
    before: dict[str, object] | None = None,
) -> None:
    """`recipe.json` beside the weights; `before` is the record of the run that autoencoder and teacher are from."""
    record = {
        "recipe": asdict(recipe),
        "pairs": {kind: len(pictures) for kind, pictures in kinds.items()},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "minutes": clock.minutes(),
        "date": time.strftime("%Y-%m-%d"),
        **({} if before is None else {"kept": ["autoencoder", "teacher"], "before": before}),
    }
    (assets / "recipe.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _recorded(file: Path) -> dict[str, object]:
    """The record of the run that made the teacher: of a student made since, the one before it."""
    record: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    before = record.get("before", record)
    assert isinstance(before, dict)
    return before


def main() -> None:
    """Command line of the recipe: where to work, where to write, and a smaller run to try it out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=Path("runs/demo"), help="data, checkpoints and logs")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="where the weights go")
    parser.add_argument("--photographs", type=Path, help="folder that `lite-vton data ccp` made; default: drawn alone")
    parser.add_argument("--garments", type=Path, help="folder of garments' photos, for the autoencoder")
    parser.add_argument("--pairs", type=int, default=DEMO.pairs, help="drawn pairs to train on")
    parser.add_argument("--variants", type=int, default=DEMO.variants, help="pairs to make of each photo")
    parser.add_argument("--keep-teacher", action="store_true", help="train the student alone, beside what is shipped")
    parser.add_argument("--threads", type=int, help="of torch; default: one a core")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    recipe = replace(
        STUDENT_ALONE if arguments.keep_teacher else DEMO, pairs=arguments.pairs, variants=arguments.variants
    )
    sources = Sources(arguments.photographs, arguments.garments)
    if bf16_pays():
        recipe = _in_bf16(recipe)
    if arguments.keep_teacher:
        taught = shipped_networks(preset(recipe.teacher_preset))
        train_demo_student(arguments.folder, arguments.assets, taught, recipe, sources)
    else:
        train_demo(arguments.folder, arguments.assets, recipe, sources)


def _in_bf16(recipe: Recipe) -> Recipe:
    loops = {
        name: replace(getattr(recipe, name), bf16=True) for name in ("autoencoder", "teacher", "student", "decoder")
    }
    return replace(recipe, **loops)


if __name__ == "__main__":
    main()
