"""What an export says of itself in `manifest.json`."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from export.gates import GATES
from export.golden import GOLDEN_PATH
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
from lite_vton.model.networks import Networks
from lite_vton.presets import ModelConfig
from runtimes.schedule import alpha_bar, timesteps

__all__ = ["WEIGHTS_PATH", "manifest_of"]

WEIGHTS_PATH = "weights"

_TOOLS = (
    "lite-vton",
    "torch",
    "diffusers",
    "transformers",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "coremltools",
    "openvino",
    "nncf",
    "numpy",
    "safetensors",
)


def manifest_of(
    networks: Networks,
    tensors: dict[str, ComponentTensors],
    artifacts: dict[str, Artifact],
    checkpoint: str,
    calibration: Calibration | None,
    folder: Path,
) -> Manifest:
    """The manifest of `folder`, which holds everything else already; sizes and hashes are read from its files."""
    config = networks.config
    return Manifest(
        model=config,
        source=Source(checkpoint=checkpoint, sha256=_weights_sha256(folder / WEIGHTS_PATH)),
        tools={"python": platform.python_version(), **_versions()},
        height=config.height,
        width=config.width,
        latent_scale=networks.latent_scale,
        default_steps=config.default_steps,
        default_sampler=config.default_sampler,
        unet_channels=unet_channels(config),
        schedule=_schedule(config),
        components=tensors,
        artifacts=artifacts,
        weights=WEIGHTS_PATH,
        golden=GOLDEN_PATH,
        calibration=calibration,
        gates={precision: Tolerance(**asdict(limits)) for precision, limits in GATES.items()},
        files=record_files(folder),
    )


def _schedule(config: ModelConfig) -> ScheduleNumbers:
    schedule = config.schedule
    return ScheduleNumbers(
        num_train_timesteps=schedule.num_train_timesteps,
        beta_start=schedule.beta_start,
        beta_end=schedule.beta_end,
        timesteps=tuple(timesteps(schedule, config.default_steps).tolist()),
        alphas_cumprod=tuple(alpha_bar(schedule).tolist()),
    )


def _weights_sha256(folder: Path) -> str:
    """Over the bytes of the weight files, one after another in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for package in _TOOLS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
