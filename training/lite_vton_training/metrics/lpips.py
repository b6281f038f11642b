"""LPIPS (Zhang et al. 2018) on AlexNet, without torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lite_vton.errors import UserError
from lite_vton_training.metrics.similarity import Picture

__all__ = ["Lpips"]

_TAPS = (1, 4, 7, 9, 11)  # the layers, each a ReLU, whose outputs are compared
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # ImageNet's mean and deviation for [-1, 1]


class Lpips(nn.Module):
    """Perceptual distance of two pictures; 0 when they are equal, smaller is nearer.

    The backbone's weights are torchvision's AlexNet, given as its state dict. The linear heads are version 0.1 of the
    authors' and come with torchmetrics.
    """

    def __init__(self, backbone: Mapping[str, Tensor]) -> None:
        """`UserError` unless `backbone` holds `features.0.weight` and so on in AlexNet's shapes."""
        super().__init__()
        self.features = _alexnet()
        wanted = self.state_dict()
        unlike = [name for name, tensor in wanted.items() if _shape(backbone, name) != tensor.shape]
        if unlike:
            raise UserError(
                f"these are not the weights of torchvision's AlexNet ({unlike[0]} is missing or of another shape): "
                "give alexnet-owt-7be5be79.pth"
            )
        self.load_state_dict({name: backbone[name] for name in wanted})
        for number, head in enumerate(_heads()):
            self.register_buffer(f"head{number}", head)
        self.register_buffer("shift", torch.tensor(_SHIFT)[None, :, None, None])
        self.register_buffer("scale", torch.tensor(_SCALE)[None, :, None, None])
        self.requires_grad_(False).eval()

    @torch.inference_mode()
    def distances(self, picture: Picture, target: Picture, inside: NDArray[np.bool_] | None) -> tuple[float, float]:
        """LPIPS of the whole pictures, and of the pixels where `inside` (H, W) is true (NaN without `inside`).

        The second is the mean over those pixels of the distance map, each layer's enlarged bilinearly to the picture.
        """
        layers = [
            ((a - b) ** 2 * getattr(self, f"head{number}")).sum(dim=1, keepdim=True)
            for number, (a, b) in enumerate(zip(self._taps(picture), self._taps(target), strict=True))
        ]
        whole = float(torch.stack([layer.mean() for layer in layers]).sum())
        if inside is None:
            return whole, float("nan")
        enlarged = [functional.interpolate(layer, size=inside.shape, mode="bilinear") for layer in layers]
        return whole, float(torch.stack(enlarged).sum(dim=0)[0, 0][torch.from_numpy(inside)].mean())

    def _taps(self, picture: Picture) -> list[Tensor]:
        """Activations of the five compared layers, of unit length along the channels."""
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
        x = (x - self.get_buffer("shift")) / self.get_buffer("scale")
        taps = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in _TAPS:
                taps.append(x / torch.sqrt(1e-8 + (x**2).sum(dim=1, keepdim=True)))
        return taps


def _alexnet() -> nn.Sequential:
    """The convolutions of AlexNet (Krizhevsky 2014), numbered as torchvision numbers them."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def _heads() -> list[Tensor]:
    # Their file lies beside the module; importing that module is not needed, and older versions then want torchvision.
    spec = find_spec("torchmetrics")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'torchmetrics'", name="torchmetrics")
    file = Path(spec.origin).parent / "functional/image/lpips_models/alex.pth"
    stored = torch.load(file, map_location="cpu", weights_only=True)
    return [stored[f"lin{number}.model.1.weight"].float() for number in range(len(_TAPS))]


def _shape(state: Mapping[str, Tensor], name: str) -> torch.Size | None:
    return state[name].shape if name in state else None
