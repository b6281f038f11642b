"""What an export says of itself in `manifest.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from lite_vton.bundle import (
    Artifact,
    Calibration,
    ComponentTensors,
    Manifest,
    ScheduleNumbers,
    Source,
    Tolerance,
    record_files,
    unet_channels,
)
from lite_vton.presets.config import ModelConfig
from lite_vton_export.parity.gates import GATES
from lite_vton_export.parity.golden import GOLDEN_PATH
from lite_vton_export.parity.machine import machine, tool_versions
from lite_vton_runtimes.sampling.schedule import alpha_bar, timesteps

__all__ = ["WEIGHTS_PATH", "manifest_of", "schedule_numbers", "source_sha256"]


WEIGHTS_PATH = "weights"


def manifest_of(
    config: ModelConfig,
    latent_scale: float,
    tensors: dict[str, ComponentTensors],
    artifacts: dict[str, Artifact],
    checkpoint: str,
    calibration: Calibration | None,
    folder: Path,
    *,
    weights: str | None = WEIGHTS_PATH,
    reference: str = "torch-fp32",
) -> Manifest:
    """The manifest of `folder`, which holds everything else already; sizes and hashes are read from its files.

    `weights` is None for a bundle that was made from ONNX files, whose source those are; `reference` is what recorded
    the golden trajectory.
    """
    return Manifest(
        model=config,
        source=Source(checkpoint=checkpoint, sha256=source_sha256(folder, weights)),
        tools=tool_versions(),
        machine=machine(),
        height=config.height,
        width=config.width,
        latent_scale=latent_scale,
        default_steps=config.default_steps,
        default_sampler=config.default_sampler,
        unet_channels=unet_channels(config),
        schedule=schedule_numbers(config),
        components=tensors,
        artifacts=artifacts,
        weights=weights,
        golden=GOLDEN_PATH,
        golden_reference=reference,
        calibration=calibration,
        gates={precision: Tolerance(**asdict(limits)) for precision, limits in GATES.items()},
        files=record_files(folder),
    )


def schedule_numbers(config: ModelConfig) -> ScheduleNumbers:
    """The model's noise schedule as numbers, with the timesteps of its default number of steps."""
    schedule = config.schedule
    return ScheduleNumbers(
        num_train_timesteps=schedule.num_train_timesteps,
        beta_start=schedule.beta_start,
        beta_end=schedule.beta_end,
        timesteps=tuple(timesteps(schedule, config.default_steps).tolist()),
        alphas_cumprod=tuple(alpha_bar(schedule).tolist()),
    )


def source_sha256(folder: Path, weights: str | None) -> str:
    """Over the bytes of the files that everything is made of, one after another; `weights` as in `manifest_of`."""
    return _sha256_of_all(_sources(folder, weights))


def _sources(folder: Path, weights: str | None) -> list[Path]:
    """The weight files, or in their place the ONNX files that hold them, in the order of their names."""
    return sorted((folder / weights).iterdir() if weights is not None else folder.glob("onnx-fp32/*/model.onnx*"))


def _sha256_of_all(paths: Iterable[Path]) -> str:
    """Over their bytes, one file after another."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()
