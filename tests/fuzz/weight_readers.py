"""Readers of weights: ours, and other people's checkpoints."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from tests.fuzz.reader import AcceptedError, Reader

__all__ = ["ROWS"]


def _weights(folder: Path) -> None:
    from lite_vton.model.networks import random_networks, save_networks
    from lite_vton.presets.table import preset

    save_networks(random_networks(preset("tiny")), folder / "autoencoder.safetensors", folder / "unet.safetensors")


def _read_weights(folder: Path) -> None:
    import torch

    from lite_vton.model.networks import load_networks
    from lite_vton.presets.table import preset

    networks = load_networks(preset("tiny"), folder / "autoencoder.safetensors", folder / "unet.safetensors")
    if not 0 < networks.latent_scale < float("inf"):
        raise AcceptedError(f"latent scale {networks.latent_scale}")
    for module in (networks.autoencoder, networks.unet):
        for name, weight in module.state_dict().items():
            if weight.is_floating_point() and not torch.isfinite(weight).all():
                raise AcceptedError(f"{name} is not finite")


def _checkpoint(folder: Path) -> None:
    import torch

    weights = OrderedDict((f"layer{i}.weight", torch.arange(12.0).reshape(3, 4)) for i in range(3))
    torch.save({"state_dict": weights, "epoch": 3}, folder / "model.ckpt")


def _old_checkpoint(folder: Path) -> None:
    import torch

    torch.save({"layer.weight": torch.arange(12.0)}, folder / "model.ckpt", _use_new_zipfile_serialization=False)


def _read_checkpoint(folder: Path) -> None:
    from lite_vton.model.importing.files import read_weights

    read_weights(folder / "model.ckpt")


def _sharded(folder: Path) -> None:
    import json

    import torch
    from safetensors.torch import save_file

    names = {f"layer{i}.weight": f"model-{i}.safetensors" for i in range(2)}
    for name, file in names.items():
        save_file({name: torch.arange(6.0)}, folder / file)
    index = {"metadata": {}, "weight_map": names}
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))


def _read_sharded(folder: Path) -> None:
    from lite_vton.model.importing.files import read_component

    read_component(folder)


def _pipeline(folder: Path) -> None:
    from diffusers import DDPMScheduler

    from tests.lite_vton.model.their_checkpoints import pipeline, their_unet

    source = pipeline(folder / "source", their_unet(4))
    DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012).save_pretrained(
        source / "scheduler"
    )


def _import(folder: Path) -> None:
    import torch

    from lite_vton.model.importing.networks import import_networks
    from tests.lite_vton.model.their_checkpoints import PLAIN

    networks = import_networks(folder / "source", PLAIN).networks
    if not 0 < networks.latent_scale < float("inf"):
        raise AcceptedError(f"latent scale {networks.latent_scale}")
    for name, weight in (*networks.unet.state_dict().items(), *networks.autoencoder.state_dict().items()):
        if weight.is_floating_point() and not torch.isfinite(weight).all():
            raise AcceptedError(f"{name} is not finite")


ROWS = (
    Reader("weights", _weights, _read_weights, needs=("torch",), share=0.5),
    Reader("checkpoint", _checkpoint, _read_checkpoint, needs=("torch",), share=3),
    Reader("checkpoint-old", _old_checkpoint, _read_checkpoint, needs=("torch",), share=3),
    Reader("checkpoint-shards", _sharded, _read_sharded, needs=("torch",), share=3),
    Reader("import-folder", _pipeline, _import, needs=("torch", "diffusers"), share=0.02),
)
