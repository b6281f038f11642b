"""The recipe of the demo weights: draws pairs, trains autoencoder, teacher, student, decoder; writes lite_vton/assets.

`just train-demo` runs it and leaves everything it made in runs/demo; a run that was stopped goes on where it was. With
`--keep-teacher` autoencoder and teacher stay as they come with the package, and the student alone is trained.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel

from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import ASSETS, Networks, save_networks, shipped_networks
from lite_vton.presets import preset
from training.autoencoder import train_autoencoder
from training.bfloat16 import bf16_pays
from training.claimed_folder import claim
from training.decoder import tune_decoder
from training.denoiser import train_denoiser
from training.drawn_pairs import drawn_pictures
from training.latents import LatentPairs, encode_pairs, kept_pairs
from training.loop import LoopConfig
from training.stages import Clock, stage
from training.starts import Start, starting_unet
from training.weights_digest import weights_digest

__all__ = ["DEMO", "STUDENT_ALONE", "Recipe", "train_demo", "train_demo_student"]


@dataclass(frozen=True)
class Recipe:
    """Everything the weights depend on."""

    pairs: int
    data_seed: int
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


def train_demo(folder: Path, assets: Path, recipe: Recipe = DEMO) -> None:
    """Run `recipe` in `folder`, resuming what is there, and write fp16 weights and `recipe.json` to `assets`."""
    teacher_config, student_config = preset(recipe.teacher_preset), preset(recipe.student_preset)
    claim(folder / "recipe.json", asdict(recipe), _ANOTHER)
    pictures = drawn_pictures(folder, recipe.pairs, recipe.data_seed, student_config)
    clock = Clock(folder / "minutes.json")

    with stage("autoencoder", recipe.autoencoder, clock) as on_step:
        autoencoder, scale = train_autoencoder(
            student_config,
            np.concatenate([pictures.person, pictures.masked_person[::3]]),
            recipe.autoencoder,
            folder / "autoencoder",
            resume=True,
            on_step=on_step,
        )
    pairs = encode_pairs(pictures, autoencoder, scale)
    with stage("teacher", recipe.teacher, clock) as on_step:
        teacher = train_denoiser(
            teacher_config, pairs, recipe.teacher, folder / "teacher", resume=True, on_step=on_step
        )
    student = _student(recipe, pairs, Denoiser(teacher_config, teacher), folder, clock)

    with stage("decoder", recipe.decoder, clock) as on_step:
        tune_decoder(
            student_config,
            autoencoder,
            scale,
            Denoiser(student_config, student),
            pictures,
            pairs.part(slice(0, recipe.decoder_pairs)),
            recipe.decoder,
            folder / "decoder",
            resume=True,
            on_step=on_step,
        )

    for config, unet in ((teacher_config, teacher), (student_config, student)):
        first, second = config.shipped_weights or ("autoencoder.safetensors", f"{config.name}.safetensors")
        save_networks(Networks(config, autoencoder, unet, scale), assets / first, assets / second, torch.float16)
    _record(assets, recipe, clock)


def train_demo_student(folder: Path, assets: Path, taught: Networks, recipe: Recipe = STUDENT_ALONE) -> None:
    """The student alone, from `taught`'s teacher on latents of `taught`'s encoder; the decoder is not tuned again.

    `assets` receives its fp16 weights and `recipe.json`, where `before` is what was recorded of those kept.
    """
    config = preset(recipe.student_preset)
    autoencoder, teacher = taught.autoencoder, Denoiser(taught.config, taught.unet)
    kept = {"kept": weights_digest(autoencoder, teacher.unet)}
    claim(folder / "recipe.json", asdict(recipe) | kept, _ANOTHER)
    clock = Clock(folder / "minutes.json")

    def encode() -> LatentPairs:
        pictures = drawn_pictures(folder, recipe.pairs, recipe.data_seed, config)
        return encode_pairs(pictures, autoencoder, taught.latent_scale)

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
    _record(assets, recipe, clock, _recorded(ASSETS / "recipe.json"))


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


def _record(assets: Path, recipe: Recipe, clock: Clock, before: dict[str, object] | None = None) -> None:
    """`recipe.json` beside the weights; `before` is the record of the run that autoencoder and teacher are from."""
    record = {
        "recipe": asdict(recipe),
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
    parser.add_argument("--pairs", type=int, default=DEMO.pairs, help="drawn pairs to train on")
    parser.add_argument("--keep-teacher", action="store_true", help="train the student alone, beside what is shipped")
    parser.add_argument("--threads", type=int, help="of torch; default: one a core")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    recipe = replace(STUDENT_ALONE if arguments.keep_teacher else DEMO, pairs=arguments.pairs)
    if bf16_pays():
        recipe = _in_bf16(recipe)
    if arguments.keep_teacher:
        taught = shipped_networks(preset(recipe.teacher_preset))
        train_demo_student(arguments.folder, arguments.assets, taught, recipe)
    else:
        train_demo(arguments.folder, arguments.assets, recipe)


def _in_bf16(recipe: Recipe) -> Recipe:
    loops = {
        name: replace(getattr(recipe, name), bf16=True) for name in ("autoencoder", "teacher", "student", "decoder")
    }
    return replace(recipe, **loops)


if __name__ == "__main__":
    main()
