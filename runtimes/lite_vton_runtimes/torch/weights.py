"""A bundle's own weights as networks of torch."""

from __future__ import annotations

from lite_vton.bundle import Bundle
from lite_vton.model.components import wrapped
from lite_vton.model.networks import load_networks
from lite_vton_runtimes.torch.runtime import TorchRuntime

__all__ = ["open_weights"]


def open_weights(bundle: Bundle) -> TorchRuntime:
    """The networks of `weights/`, which every artifact was made from; `UserError` for a bundle without them."""
    weights = bundle.path("weights/autoencoder.safetensors"), bundle.path("weights/unet.safetensors")
    return TorchRuntime(wrapped(load_networks(bundle.manifest.model, *weights)), bundle.manifest.components)
