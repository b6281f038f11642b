"""The recipe of the demo weights: makes pairs, trains autoencoder, teacher, student, few steps, then all together.

Pairs are drawn, and made of photographs (`lite_vton_training.mix`) where `--photographs` says where they are. `just
train-demo` runs it and leaves everything it made in runs/demo; a run that was stopped goes on where it was. With
`--keep-teacher` autoencoder and teacher stay as they come with the package, and the student alone is trained.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from lite_vton.atomic import whole_file
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import ASSETS, Networks, save_networks, shipped_networks
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import LatentPairs, kept_pairs
from lite_vton_training.demo.finish import paint_together, write_weights
from lite_vton_training.demo.record import read_record, record_of, write_record
from lite_vton_training.distillation.starts import Start, starting_unet
from lite_vton_training.loop.bfloat16 import bf16_pays, in_bf16
from lite_vton_training.loop.claimed_folder import claim
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.loop.stages import Clock, stage
from lite_vton_training.loop.weights_digest import weights_digest
from lite_vton_training.mix.kinds import Amounts, encode_kinds, pictures_by_kind, shown_to_autoencoder
from lite_vton_training.mix.sources import Sources
from lite_vton_training.trainers.autoencoder import train_autoencoder
from lite_vton_training.trainers.denoiser import train_denoiser
from lite_vton_training.trainers.few_steps import FewStepConfig, train_few_steps
from lite_vton_training.trainers.painting import Painting

__all__ = ["DEMO", "FEW_STEPS", "STUDENT_ALONE", "Recipe", "train_demo", "train_demo_student"]


@dataclass(frozen=True)
class Recipe:
    """Everything the weights depend on, but for the photographs themselves.

    `variants` is how many pairs are made of each photo, `mended` how many of each garment's picture.
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
    few_steps: LoopConfig
    painting: LoopConfig
    distill: str = "output"
    start: Start = "random"

    @property
    def amounts(self) -> Amounts:
        """Of pairs."""
        return Amounts(self.pairs, self.variants, self.mended, self.data_seed)


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
    few_steps=LoopConfig(steps=2000, batch_size=16, learning_rate=6e-4, warmup_steps=100, ema_decay=0.998),
    painting=LoopConfig(steps=1500, batch_size=8, learning_rate=3e-4, ema_decay=0.998),
)

FEW_STEPS = FewStepConfig(counts=(8, 4), substeps=1, method="truth")
"""The last the student learns: from where its own sampling leads, in the steps it is mostly run with, to the picture.
docs/method.md has what that is worth on photographs."""

STUDENT_ALONE = replace(DEMO, student=replace(DEMO.student, steps=2000), distill="feature", start="slimmed")
"""Of `--keep-teacher`: the start and the distillation that are ahead in docs/results.md. Shipped weights are DEMO's."""

_ANOTHER = "a run of another recipe"


def train_demo(folder: Path, assets: Path, recipe: Recipe = DEMO, sources: Sources = Sources()) -> None:  # noqa: B008
    """Run `recipe` in `folder`, resuming what is there, and write fp16 weights and `recipe.json` to `assets`."""
    teacher_config, student_config = preset(recipe.teacher_preset), preset(recipe.student_preset)
    claim(folder / "recipe.json", asdict(recipe), _ANOTHER)
    kinds = pictures_by_kind(folder, recipe.amounts, sources, student_config)
    clock = Clock(folder / "minutes.json")

    with stage("autoencoder", recipe.autoencoder, clock) as on_step:
        autoencoder, scale = train_autoencoder(
            student_config,
            list(shown_to_autoencoder(kinds, sources, student_config)),
            recipe.autoencoder,
            folder / "autoencoder",
            resume=True,
            on_step=on_step,
        )
    pairs = encode_kinds(kinds, autoencoder, scale)
    with stage("teacher", recipe.teacher, clock) as on_step:
        teacher = train_denoiser(
            teacher_config, pairs, recipe.teacher, folder / "teacher", resume=True, on_step=on_step
        )
    student = _student(recipe, pairs, Denoiser(teacher_config, teacher), folder, clock)

    made = [
        Networks(config, autoencoder, unet, scale)
        for config, unet in ((teacher_config, teacher), (student_config, student))
    ]
    paint_together(made, kinds, recipe.painting, Painting(), folder, clock)
    write_weights(made, assets)
    write_record(assets, record_of(asdict(recipe), clock, kinds))


def train_demo_student(
    folder: Path,
    assets: Path,
    taught: Networks,
    recipe: Recipe = STUDENT_ALONE,
    sources: Sources = Sources(),  # noqa: B008  # frozen
) -> None:
    """The student alone, from `taught`'s teacher on latents of `taught`'s encoder, which both stay as they are.

    `assets` receives its fp16 weights and `recipe.json`, where `before` is what was recorded of those kept.
    """
    config = preset(recipe.student_preset)
    autoencoder, teacher = taught.autoencoder, Denoiser(taught.config, taught.unet)
    kept = {"kept": weights_digest(autoencoder, teacher.unet)}
    claim(folder / "recipe.json", asdict(recipe) | kept, _ANOTHER)
    clock = Clock(folder / "minutes.json")

    kinds = pictures_by_kind(folder, recipe.amounts, sources, config)

    def encode() -> LatentPairs:
        return encode_kinds(kinds, autoencoder, taught.latent_scale)

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
    with whole_file(assets / name) as draft:
        shutil.copyfile(made, draft)
    before = _made_the_teacher(read_record(ASSETS))
    write_record(assets, record_of(asdict(recipe), clock, kinds, ("autoencoder", "teacher"), before))


def _student(recipe: Recipe, pairs: LatentPairs, teacher: Denoiser, folder: Path, clock: Clock) -> UNet2DConditionModel:
    config = preset(recipe.student_preset)
    with stage("student", recipe.student, clock) as on_step:
        student = train_denoiser(
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
    with stage("few steps", recipe.few_steps, clock) as on_step:
        return train_few_steps(
            config,
            pairs,
            student,
            Denoiser(config, student),
            recipe.few_steps,
            folder / "few-steps",
            FEW_STEPS,
            resume=True,
            on_step=on_step,
        )


def _made_the_teacher(record: Mapping[str, object]) -> Mapping[str, object]:
    """`record`, or where it is of a student made beside a teacher that was kept, the one before it."""
    kept, before = record.get("kept", ()), record.get("before", record)
    assert isinstance(kept, Sequence)
    assert isinstance(before, Mapping)
    return before if "teacher" in kept else record


def main() -> None:
    """Command line of the recipe: where to work, where to write, and a smaller run to try it out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=Path("runs/demo"), help="data, checkpoints and logs")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="where the weights go")
    parser.add_argument("--photographs", type=Path, help="folder that `lite-vton data ccp` made; default: drawn alone")
    parser.add_argument(
        "--garments",
        type=Path,
        help="folder of garments' photos, to learn more from",
    )
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
        recipe = in_bf16(recipe)
    if arguments.keep_teacher:
        taught = shipped_networks(preset(recipe.teacher_preset))
        train_demo_student(arguments.folder, arguments.assets, taught, recipe, sources)
    else:
        train_demo(arguments.folder, arguments.assets, recipe, sources)


if __name__ == "__main__":
    main()
