"""The small JSON files that let diffusers and Optimum find their way in an artifact folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lite_vton.model.networks import Networks
from lite_vton.presets.config import ModelConfig
from lite_vton_runtimes.sampling.schedule import scheduler_config

__all__ = ["write_layout", "write_scheduler"]


def write_scheduler(config: ModelConfig, folder: Path) -> None:
    """`folder/scheduler_config.json`, as `diffusers.DDIMScheduler.from_pretrained` reads it."""
    _write(folder / "scheduler_config.json", scheduler_config(config.schedule))


def write_layout(networks: Networks, folder: Path) -> None:
    """`model_index.json`, `scheduler/` and one `config.json` per component beside its `model.onnx`."""
    config = networks.config
    write_scheduler(config, folder / "scheduler")
    components = dict.fromkeys(config.components, ("diffusers", "OnnxRuntimeModel"))
    _write(
        folder / "model_index.json",
        {
            "_class_name": "StableDiffusionInpaintPipeline",
            "_diffusers_version": _diffusers_version(),
            **components,
            "scheduler": ("diffusers", "DDIMScheduler"),
        },
    )
    unet = {"_class_name": "UNet2DConditionModel", **_plain(dict(getattr(networks.unet, "config", {})))}
    # Pipelines compare it with a number: without one, Optimum's cannot be opened (optimum-onnx 0.1.0, diffusers 0.39).
    unet["sample_size"] = config.height // config.autoencoder.downscale
    _write(folder / "unet" / "config.json", unet)
    for name in ("vae_encoder", "vae_decoder"):
        _write(folder / name / "config.json", _vae(config, networks.latent_scale))
    if networks.image_encoder is not None:
        tower = networks.image_encoder.config.to_dict()  # type: ignore[operator,union-attr]  # transformers' own
        _write(folder / "image_encoder" / "config.json", tower)


def _vae(config: ModelConfig, latent_scale: float) -> dict[str, Any]:
    # Pipelines read the downscale factor off the number of block widths, and the latent scale by name.
    widths = config.autoencoder.channels
    levels = config.autoencoder.downscale.bit_length()
    return {
        "_class_name": "AutoencoderKL",
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": config.autoencoder.latent_channels,
        "block_out_channels": widths if len(widths) == levels else [widths[-1]] * levels,
        "scaling_factor": latent_scale,
        "sample_size": [config.height, config.width],
    }


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if not key.startswith("_")}


def _diffusers_version() -> str:
    from diffusers import __version__

    return str(__version__)


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=2, default=str) + "\n", encoding="utf-8")
