"""How many parameters the networks of a preset have."""

from __future__ import annotations

from lite_vton.presets import ModelConfig

__all__ = ["count_parameters"]


def count_parameters(config: ModelConfig) -> dict[str, int] | None:
    """By network; None without torch. Counted on torch's meta device, which holds no memory."""
    try:
        import torch

        from lite_vton.model.autoencoder import Autoencoder
        from lite_vton.model.unet import build_unet
    except ModuleNotFoundError:
        return None
    with torch.device("meta"):
        networks = {
            "autoencoder": Autoencoder(config.autoencoder),
            "unet": build_unet(config.unet, config.autoencoder.latent_channels),
        }
    return {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
