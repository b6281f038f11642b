"""One row of `lite_vton_training.reproduce.rows` with one seed: trained, judged, and written down in a folder of its
own.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.atomic import whole_file, write_text
from lite_vton.errors import UserError
from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.image_encoder import load_image_encoder
from lite_vton.model.networks import Networks, load_networks, save_networks
from lite_vton.presets.conditioning import COMPONENTS_OF_PAPER
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset
from lite_vton_training.dataset.drawn import drawn_pictures, held_out_pictures
from lite_vton_training.dataset.latents import LatentPairs, encode_pairs, kept_pairs
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.distillation.starts import starting_unet
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.loop.json_object import read_object
from lite_vton_training.loop.kept_arrays import kept_pictures
from lite_vton_training.loop.stages import Clock, stage
from lite_vton_training.loop.weights_digest import weights_digest
from lite_vton_training.metrics import Backbones
from lite_vton_training.metrics.held_out import HeldOut, figures, paint, psnr_to_teacher
from lite_vton_training.reproduce.garment_tower import STAND_IN, TowerRecipe, train_tower
from lite_vton_training.reproduce.results import Results, read_results, together
from lite_vton_training.reproduce.rows import ROWS, SHIPPED, Budget, Row
from lite_vton_training.reproduce.trial_record import Circumstances, logged_figures
from lite_vton_training.trainers.denoiser import train_denoiser

__all__ = ["Trials"]


@dataclass(frozen=True)
class Trials:
    """All trials of `budget` in `folder`, which share data, autoencoder and the shipped teacher, `taught`.

    `tower` is the folder of CLIP's image tower; without it rows with its tokens have those of a tower trained on drawn
    garments by the recipe `stand_in`. `recorded` are results of a page whose trials' folders may be gone.
    """

    folder: Path
    budget: Budget
    taught: Networks
    backbones: Backbones = field(default_factory=Backbones)
    tower: Path | None = None
    bf16: bool = False
    stand_in: TowerRecipe = STAND_IN
    recorded: Results = field(default_factory=dict)

    @cached_property
    def circumstances(self) -> Circumstances:
        """What these trials share with others of the same figures."""
        digest = weights_digest(self.taught.autoencoder, self.taught.unet)
        return Circumstances(self.budget, self.bf16, digest, "stand-in" if self.tower is None else "given")

    def results(self) -> Results:
        """Of every row: what was recorded of the same trials, and what is in the folder."""
        known, same = {name: seeds for name, seeds in self.recorded.items() if name in ROWS}, self.circumstances
        known = {
            name: {seed: result for seed, result in seeds.items() if same.are_those_of(result, ROWS[name])}
            for name, seeds in known.items()
        }
        return together(known, read_results(self.folder, ROWS), ROWS)

    def is_done(self, row: Row, seed: int) -> bool:
        """Whether its figures are known, be it from a page."""
        return seed in self.results().get(row.name, {})

    def file(self, row: Row, seed: int) -> Path:
        """Where the result of a trial is, once it has one."""
        return self.folder / row.name / str(seed) / "result.json"

    def run(self, row: Row, seed: int) -> None:
        """Train and judge `row`, and its teacher before it if need be; nothing where there is a result already."""
        file = self.file(row, seed)
        if file.is_file():
            return
        if row.taught_by not in (None, SHIPPED):
            self.run(ROWS[str(row.taught_by)], seed)
        folder, config = file.parent, self.config(row)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "checkpoint").is_dir():  # of a finished trial it is gone: one whose result went is begun anew
            for left in ("log.csv", "config.json"):
                (folder / left).unlink(missing_ok=True)
        clock = Clock(folder / "minutes.json")
        loop = self._loop(row, seed)
        teacher = self._teacher(row, seed)
        with stage(f"{row.name} {seed}", loop, clock) as on_step:
            unet = train_denoiser(
                config,
                self._pairs(config),
                loop,
                folder,
                distill=row.distill,
                teacher=teacher,
                start=starting_unet(row.start, config, teacher, loop.seed),
                losses=replace(row.losses, similarity_every=self.budget.similarity_every),
                resume=True,
                on_step=on_step,
            )
        networks = replace(self.taught, config=config, unet=unet, image_encoder=None)
        if config.image_encoder is None:  # else the tower would be saved with each trial
            save_networks(networks, folder / "autoencoder.safetensors", folder / "unet.safetensors")
        held_out = self._held_out(config)
        painted = paint(Denoiser(config, unet), held_out, self._autoencoder, self.taught.latent_scale)
        _save_pictures(folder / "pictures.npz", painted)
        found = figures(painted, held_out, self.backbones)
        if row.is_student:
            found["psnr_to_teacher"] = psnr_to_teacher(painted, self._teachers_pictures(row, seed), held_out)
        result = self.circumstances.record(
            row,
            seed,
            figures=found | logged_figures(folder / "log.csv", row),
            parameters=sum(parameter.numel() for parameter in unet.parameters()),
            minutes=clock.minutes().get(f"{row.name} {seed}"),
            **({"tower_found_again": self._found_again()} if row.has_tokens and self.tower is None else {}),
        )
        write_text(file, json.dumps(result, indent=2) + "\n")
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)  # three times the weights, and done with

    def config(self, row: Row) -> ModelConfig:
        """The budget's student or teacher, told what `row` says."""
        config = preset(self.budget.student if row.is_student else self.budget.teacher)
        conditioning = COMPONENTS_OF_PAPER[row.components]
        if conditioning.tokens:
            given = preset(self.budget.tower_of).image_encoder
            assert given is not None
            tower = self.stand_in.shape if self.tower is None else given
            unet = replace(config.unet, cross_attention=tower.width)
            config = replace(config, unet=unet, image_encoder=tower, shipped_weights=None)
        return conditioning.applied_to(config)

    def _loop(self, row: Row, seed: int) -> LoopConfig:
        budget = self.budget
        steps = budget.student_steps if row.is_student else budget.teacher_steps
        return LoopConfig(
            steps=steps,
            batch_size=budget.batch_size,
            learning_rate=budget.student_rate if row.is_student else budget.teacher_rate,
            warmup_steps=min(200, steps // 10),
            ema_decay=budget.ema_decay,
            seed=seed,
            checkpoint_every=budget.checkpoint_every,
            bf16=self.bf16,
        )

    def _teacher(self, row: Row, seed: int) -> Denoiser | None:
        if row.taught_by is None:
            return None
        if row.taught_by == SHIPPED:
            return Denoiser(self.taught.config, self.taught.unet)
        teacher = ROWS[row.taught_by]
        folder, config = self.file(teacher, seed).parent, self.config(teacher)
        networks = load_networks(config, folder / "autoencoder.safetensors", folder / "unet.safetensors")
        return Denoiser(config, networks.unet)

    def _teachers_pictures(self, row: Row, seed: int) -> NDArray[np.uint8]:
        if row.taught_by != SHIPPED:
            return kept_pictures(self.file(ROWS[str(row.taught_by)], seed).with_name("pictures.npz"))
        file = self.folder / "shipped-teacher.npz"
        if not file.is_file():
            taught, held_out = self.taught, self._held_out(self.taught.config)
            teacher = Denoiser(taught.config, taught.unet)
            _save_pictures(file, paint(teacher, held_out, self._autoencoder, taught.latent_scale))
        return kept_pictures(file)

    @property
    def _autoencoder(self) -> Autoencoder:
        return self.taught.autoencoder

    def _pairs(self, config: ModelConfig) -> LatentPairs:
        """Encoded once for each kind of conditioning, and kept beside the pictures."""
        tokens = config.image_encoder is not None
        name = f"latents-{config.mask}{'-tokens' if tokens else ''}"
        if name not in self._read:
            file, budget = self.folder / f"{name}.safetensors", self.budget

            def make() -> LatentPairs:
                pictures = drawn_pictures(self.folder, budget.pairs, budget.data_seed, config, garments=tokens)
                return self._encoded(pictures, config)

            self._read.clear()  # one kind in memory at a time
            self._read[name] = kept_pairs(file, make)
        return self._read[name]

    @cached_property
    def _read(self) -> dict[str, LatentPairs]:
        return {}

    def _held_out(self, config: ModelConfig) -> HeldOut:
        tokens = config.image_encoder is not None
        pictures = held_out_pictures(self.folder, self.budget.held_out, config, garments=tokens)
        return HeldOut(pictures, self._encoded(pictures, config))

    def _encoded(self, pictures: PicturePairs, config: ModelConfig) -> LatentPairs:
        tower = None
        if config.image_encoder is not None:
            folder = self._trained_tower() if self.tower is None else self.tower
            tower = load_image_encoder(config.image_encoder, folder)
        return encode_pairs(pictures, self._autoencoder, self.taught.latent_scale, image_encoder=tower)

    def _trained_tower(self) -> Path:
        """The folder of the stand-in, trained first if need be."""
        folder = self.folder / "tower"
        if not (folder / "found.json").is_file():
            budget, config = self.budget, preset(self.budget.teacher)
            pictures = drawn_pictures(self.folder, budget.pairs, budget.data_seed, config, garments=True)
            held_out = held_out_pictures(self.folder, budget.held_out, config, garments=True)
            with stage("image tower", self.stand_in.loop, Clock(self.folder / "tower-minutes.json")) as on_step:
                train_tower(pictures, held_out, self.stand_in, folder, on_step)
        return folder

    def _found_again(self) -> float:
        file = self.folder / "tower/found.json"
        found = read_object(file).get("found_again")
        if not isinstance(found, float):
            raise UserError(f"{file} does not say how many garments are found again: delete the folder {file.parent}")
        return found


def _save_pictures(file: Path, pictures: NDArray[np.uint8]) -> None:
    with whole_file(file) as draft:
        np.savez_compressed(draft, pictures=pictures)
