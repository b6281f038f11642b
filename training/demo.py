"""The recipe of the demo weights: draws pairs, trains autoencoder, teacher, student, decoder; writes lite_vton/assets.

`just train-demo` runs it and leaves everything it made in runs/demo; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import ASSETS, Networks, save_networks
from lite_vton.presets import preset
from training.autoencoder import train_autoencoder
from training.bfloat16 import bf16_pays
from training.decoder import tune_decoder
from training.denoiser import train_denoiser
from training.drawn_pairs import drawn_pictures
from training.latents import encode_pairs
from training.loop import LoopConfig
from training.stages import Clock, stage

__all__ = ["DEMO", "Recipe", "train_demo"]


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


def train_demo(folder: Path, assets: Path, recipe: Recipe = DEMO) -> None:
    """Run `recipe` in `folder`, resuming what is there, and write fp16 weights and `recipe.json` to `assets`."""
    teacher_config, student_config = preset(recipe.teacher_preset), preset(recipe.student_preset)
    _claim(folder, recipe)
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
    with stage("student", recipe.student, clock) as on_step:
        student = train_denoiser(
            student_config,
            pairs,
            recipe.student,
            folder / "student",
            distill=recipe.distill,
            teacher=Denoiser(teacher_config, teacher),
            resume=True,
            on_step=on_step,
        )

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
    record = {
        "recipe": asdict(recipe),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "minutes": clock.minutes(),
        "date": time.strftime("%Y-%m-%d"),
    }
    (assets / "recipe.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _claim(folder: Path, recipe: Recipe) -> None:
    """Mark `folder` as this recipe's, so that pictures and checkpoints of another one are not taken for its own."""
    written = folder / "recipe.json"
    text = json.dumps(asdict(recipe), indent=2) + "\n"
    if written.is_file() and written.read_text(encoding="utf-8") != text:
        raise UserError(f"{folder} holds a run of another recipe: remove it, or choose another --folder")
    folder.mkdir(parents=True, exist_ok=True)
    written.write_text(text, encoding="utf-8")


def main() -> None:
    """Command line of the recipe: where to work, where to write, and a smaller run to try it out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=Path("runs/demo"), help="data, checkpoints and logs")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="where the weights go")
    parser.add_argument("--pairs", type=int, default=DEMO.pairs, help="drawn pairs to train on")
    arguments = parser.parse_args()
    recipe = _in_bf16(DEMO) if bf16_pays() else DEMO
    train_demo(arguments.folder, arguments.assets, replace(recipe, pairs=arguments.pairs))


def _in_bf16(recipe: Recipe) -> Recipe:
    loops = {
        name: replace(getattr(recipe, name), bf16=True) for name in ("autoencoder", "teacher", "student", "decoder")
    }
    return replace(recipe, **loops)


if __name__ == "__main__":
    main()
