"""What a backend has to offer: a bundle's networks as callables from numpy to numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError

__all__ = ["Array", "Component", "NoDeviceError", "Runtime"]

Array = NDArray[np.float32]
Component = Callable[[Mapping[str, NDArray[np.generic]]], dict[str, Array]]


class Runtime(Protocol):
    """One backend with one bundle loaded.

    `components` maps each name of `ModelConfig.components`, which are diffusers' and Optimum's, to a callable that
    takes and returns arrays by tensor name:

    image_encoder  pixel_values (1, 3, 224, 224) in [-1, 1]          -> encoder_hidden_states (1, T, D); only with CLIP
    vae_encoder    sample (K, 3, H, W) in [-1, 1]                    -> latent_parameters (K, 2C, h, w), mean | logvar;
                   K is `ModelConfig.encoder_batch`, so that a try-on needs one call
    unet           sample (1, C+1+C+C, h, w), timestep (1,) int64    -> out_sample (1, C, h, w), the predicted epsilon
                   and encoder_hidden_states (1, T, D) with CLIP; `ModelConfig.conditions` says what of it is what
    vae_decoder    latent_sample (1, C, h, w), unscaled              -> sample (1, 3, H, W) in about [-1, 1]
    """

    @property
    def name(self) -> str:
        """What reports call this backend, precision included: `onnxruntime-fp16`."""
        ...

    @property
    def components(self) -> Mapping[str, Component]:
        """The networks by name."""
        ...

    def close(self) -> None:
        """Free sessions and device memory; the runtime is of no use afterwards."""
        ...


class NoDeviceError(UserError):
    """What a backend runs on is not in this machine: nothing is wrong with the artifact, it cannot be run here."""
