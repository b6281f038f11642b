"""One row of `training.ablations` with one seed: trained, judged, and written down in a folder of its own."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from lite_vton.conditioning import COMPONENTS_OF_PAPER
from lite_vton.errors import UserError
from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.image_encoder import load_image_encoder
from lite_vton.model.networks import Networks, load_networks, save_networks
from lite_vton.model.unet import build_unet
from lite_vton.presets import ModelConfig, preset
from training.ablations import ROWS, SHIPPED, Budget, Row
from training.denoiser import train_denoiser
from training.drawn_pairs import drawn_pictures, held_out_pictures
from training.latents import LatentPairs, encode_pairs
from training.loop import LoopConfig
from training.metrics import Backbones
from training.pictures import PicturePairs
from training.scoring_held_out import HeldOut, figures, paint, psnr_to_teacher
from training.slimming import slim
from training.stages import Clock, stage

__all__ = ["Trials", "atomically"]

LAST = 20
"""Steps at the end of a run over which its logged terms are averaged."""


@dataclass(frozen=True)
class Trials:
    """All trials of `budget` in `folder`, which share data, autoencoder and the shipped teacher, `taught`.

    `tower` is the folder of CLIP's image tower, without which rows with its tokens cannot be trained.
    """

    folder: Path
    budget: Budget
    taught: Networks
    backbones: Backbones = field(default_factory=Backbones)
    tower: Path | None = None
    bf16: bool = False

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
                start=_slimmed(config, teacher, loop.seed) if row.start == "slimmed" else None,
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
        result = {
            "row": asdict(row),
            "seed": seed,
            "budget": asdict(self.budget),
            "figures": found | _logged(folder / "log.csv", row),
            "parameters": sum(parameter.numel() for parameter in unet.parameters()),
            "minutes": clock.minutes().get(f"{row.name} {seed}"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
            "threads": torch.get_num_threads(),
            "bf16": self.bf16,
            "date": time.strftime("%Y-%m-%d"),
        }
        atomically(file, json.dumps(result, indent=2) + "\n")
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)  # three times the weights, and done with

    def config(self, row: Row) -> ModelConfig:
        """The budget's student or teacher, told what `row` says."""
        config = preset(self.budget.student if row.is_student else self.budget.teacher)
        conditioning = COMPONENTS_OF_PAPER[row.components]
        if conditioning.tokens:
            tower = preset(self.budget.tower_of).image_encoder
            assert tower is not None
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
            return _load_pictures(self.file(ROWS[str(row.taught_by)], seed).with_name("pictures.npz"))
        file = self.folder / "shipped-teacher.npz"
        if not file.is_file():
            taught, held_out = self.taught, self._held_out(self.taught.config)
            teacher = Denoiser(taught.config, taught.unet)
            _save_pictures(file, paint(teacher, held_out, self._autoencoder, taught.latent_scale))
        return _load_pictures(file)

    @property
    def _autoencoder(self) -> Autoencoder:
        return self.taught.autoencoder

    def _pairs(self, config: ModelConfig) -> LatentPairs:
        """Encoded once for each kind of conditioning, and kept beside the pictures."""
        tokens = config.image_encoder is not None
        name = f"latents-{config.mask}{'-tokens' if tokens else ''}"
        if name not in self._read:
            file = self.folder / f"{name}.safetensors"
            if not file.is_file():
                budget = self.budget
                pictures = drawn_pictures(self.folder, budget.pairs, budget.data_seed, config, garments=tokens)
                encoded = vars(self._encoded(pictures, config))
                partial = file.with_suffix(".part")
                save_file({key: value.contiguous() for key, value in encoded.items() if value is not None}, partial)
                partial.rename(file)
            self._read.clear()  # one kind in memory at a time
            self._read[name] = LatentPairs(**load_file(file))
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
            if self.tower is None:
                raise UserError("this row looks through CLIP: name the folder of its image tower with --clip")
            tower = load_image_encoder(config.image_encoder, self.tower)
        return encode_pairs(pictures, self._autoencoder, self.taught.latent_scale, image_encoder=tower)


def atomically(file: Path, text: str) -> None:
    """Write `file` whole or not at all."""
    partial = file.with_name(f".{file.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)


def _slimmed(config: ModelConfig, teacher: Denoiser | None, seed: int) -> UNet2DConditionModel:
    assert teacher is not None
    assert isinstance(teacher.unet, UNet2DConditionModel)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = build_unet(config.unet, config.autoencoder.latent_channels)
    slim(teacher.unet, student)
    return student


def _logged(log: Path, row: Row) -> dict[str, float | None]:
    """The end of the log: the loss on noise, CKA as a mean over taps, and the features' own distance."""
    with log.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    found: dict[str, float | None] = {"noise": _mean([float(line["noise"]) for line in lines[-LAST:]])}
    taps = [name for name in lines[0] if name.startswith("cka.")]
    if taps:
        measured = [line for line in lines if line[taps[0]]][-1]
        found["cka"] = _mean([float(measured[tap]) for tap in taps])
    if "feature" in lines[0]:
        found["own_distance"] = _mean([float(line["feature"]) for line in lines[-LAST:]]) / row.losses.feature
    return found


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _save_pictures(file: Path, pictures: NDArray[np.uint8]) -> None:
    partial = file.with_suffix(".part.npz")
    np.savez_compressed(partial, pictures=pictures)
    partial.rename(file)


def _load_pictures(file: Path) -> NDArray[np.uint8]:
    with np.load(file) as arrays:
        pictures: NDArray[np.uint8] = arrays["pictures"]
    return pictures
