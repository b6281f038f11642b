"""Inception v3 as FID and KID use it: TensorFlow's network of 2015, by the names of its published PyTorch weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from lite_vton.errors import UserError
from lite_vton_training.metrics.inception_names import by_our_names
from lite_vton_training.metrics.similarity import Picture

__all__ = ["FEATURES", "Inception", "layer_shapes"]

FEATURES = 2048
"""Length of a picture's feature vector."""

_SIDE = 299


@dataclass(frozen=True)
class _Unit:
    """A convolution with its batch norm. `kernel` is height and width; padded to keep the size unless `valid`."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    valid: bool = False

    @property
    def padding(self) -> tuple[int, int]:
        height, width = self.kernel
        return (0, 0) if self.valid else (height // 2, width // 2)


_Fork = tuple[_Unit, ...]  # units that read the same input, their outputs side by side
_Chain = tuple[_Fork, ...]


@dataclass(frozen=True)
class _Block:
    """Chains side by side and, last, a pooled branch: `mean` and `max` keep the size, `halve` halves it."""

    name: str
    chains: tuple[_Chain, ...]
    pool: str
    pool_channels: int | None = None


def _chain(*steps: _Unit | _Fork) -> _Chain:
    return tuple((step,) if isinstance(step, _Unit) else step for step in steps)


def _wide(name: str, pool_channels: int) -> _Block:
    """35 x 35 positions."""
    return _Block(
        name,
        (
            _chain(_Unit("branch1x1", 64)),
            _chain(_Unit("branch5x5_1", 48), _Unit("branch5x5_2", 64, (5, 5))),
            _chain(
                _Unit("branch3x3dbl_1", 64), _Unit("branch3x3dbl_2", 96, (3, 3)), _Unit("branch3x3dbl_3", 96, (3, 3))
            ),
        ),
        "mean",
        pool_channels,
    )


def _factorised(name: str, inner: int) -> _Block:
    """17 x 17 positions; 7 x 7 convolutions as rows after columns."""
    row, column = (1, 7), (7, 1)
    return _Block(
        name,
        (
            _chain(_Unit("branch1x1", 192)),
            _chain(_Unit("branch7x7_1", inner), _Unit("branch7x7_2", inner, row), _Unit("branch7x7_3", 192, column)),
            _chain(
                _Unit("branch7x7dbl_1", inner),
                _Unit("branch7x7dbl_2", inner, column),
                _Unit("branch7x7dbl_3", inner, row),
                _Unit("branch7x7dbl_4", inner, column),
                _Unit("branch7x7dbl_5", 192, row),
            ),
        ),
        "mean",
        192,
    )


def _expanded(name: str, pool: str) -> _Block:
    """8 x 8 positions; the 3 x 3 convolutions end as a row beside a column."""

    def fork(stem: str) -> _Fork:
        return (_Unit(f"{stem}a", 384, (1, 3)), _Unit(f"{stem}b", 384, (3, 1)))

    return _Block(
        name,
        (
            _chain(_Unit("branch1x1", 320)),
            _chain(_Unit("branch3x3_1", 384), fork("branch3x3_2")),
            _chain(_Unit("branch3x3dbl_1", 448), _Unit("branch3x3dbl_2", 384, (3, 3)), fork("branch3x3dbl_3")),
        ),
        pool,
        192,
    )


_STEM: tuple[_Unit | None, ...] = (  # None: 3 x 3 maximum, halved
    _Unit("Conv2d_1a_3x3", 32, (3, 3), stride=2, valid=True),
    _Unit("Conv2d_2a_3x3", 32, (3, 3), valid=True),
    _Unit("Conv2d_2b_3x3", 64, (3, 3)),
    None,
    _Unit("Conv2d_3b_1x1", 80),
    _Unit("Conv2d_4a_3x3", 192, (3, 3), valid=True),
    None,
)
_BLOCKS = (
    _wide("Mixed_5b", 32),
    _wide("Mixed_5c", 64),
    _wide("Mixed_5d", 64),
    _Block(
        "Mixed_6a",
        (
            _chain(_Unit("branch3x3", 384, (3, 3), stride=2, valid=True)),
            _chain(
                _Unit("branch3x3dbl_1", 64),
                _Unit("branch3x3dbl_2", 96, (3, 3)),
                _Unit("branch3x3dbl_3", 96, (3, 3), stride=2, valid=True),
            ),
        ),
        "halve",
    ),
    _factorised("Mixed_6b", 128),
    _factorised("Mixed_6c", 160),
    _factorised("Mixed_6d", 160),
    _factorised("Mixed_6e", 192),
    _Block(
        "Mixed_7a",
        (
            _chain(_Unit("branch3x3_1", 192), _Unit("branch3x3_2", 320, (3, 3), stride=2, valid=True)),
            _chain(
                _Unit("branch7x7x3_1", 192),
                _Unit("branch7x7x3_2", 192, (1, 7)),
                _Unit("branch7x7x3_3", 192, (7, 1)),
                _Unit("branch7x7x3_4", 192, (3, 3), stride=2, valid=True),
            ),
        ),
        "halve",
    ),
    _expanded("Mixed_7b", "mean"),
    # The published network takes the maximum here, where its paper says mean; its features depend on it.
    _expanded("Mixed_7c", "max"),
)


class _ConvNorm(nn.Module):
    def __init__(self, channels: int, unit: _Unit) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, unit.channels, unit.kernel, unit.stride, unit.padding, bias=False)
        self.bn = nn.BatchNorm2d(unit.channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _Mixed(nn.Module):
    def __init__(self, channels: int, block: _Block) -> None:
        super().__init__()
        self.block = block
        self.channels = 0 if block.pool_channels is not None else channels
        for chain in block.chains:
            entering = channels
            for fork in chain:
                for unit in fork:
                    self.add_module(unit.name, _ConvNorm(entering, unit))
                entering = sum(unit.channels for unit in fork)
            self.channels += entering
        if block.pool_channels is not None:
            self.add_module("branch_pool", _ConvNorm(channels, _Unit("branch_pool", block.pool_channels)))
            self.channels += block.pool_channels

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(self._along(chain, x) for chain in self.block.chains), self._pooled(x)], dim=1)

    def _along(self, chain: _Chain, x: Tensor) -> Tensor:
        for fork in chain:
            x = torch.cat([self.get_submodule(unit.name)(x) for unit in fork], dim=1)
        return x

    def _pooled(self, x: Tensor) -> Tensor:
        if self.block.pool == "halve":
            return functional.max_pool2d(x, 3, stride=2)
        if self.block.pool == "max":
            x = functional.max_pool2d(x, 3, stride=1, padding=1)
        else:
            x = functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        pooled: Tensor = self.get_submodule("branch_pool")(x)
        return pooled


class Inception(nn.Module):
    """Pictures to the 2048 features before the classifier."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """`weights` as torch-fidelity and pytorch-fid publish them, or clean-fid; the classifier's are not used.

        `UserError` for weights of another network, torchvision's Inception trained on ImageNet included.
        """
        super().__init__()
        for name, layer in _layers():
            self.add_module(name, layer)
        weights = by_our_names(weights)
        classes = weights["fc.weight"].shape[0] if "fc.weight" in weights else 1008
        wanted = layer_shapes()
        unlike = [name for name, shape in wanted.items() if name not in weights or weights[name].shape != shape]
        if unlike or classes != 1008:
            fault = f"it has {classes} classes instead of 1008" if not unlike else f"{unlike[0]} is missing or differs"
            raise UserError(
                f"these are not the weights of FID's Inception ({fault}): "
                "give weights-inception-2015-12-05-6726825d.pth, or clean-fid's inception-2015-12-05.pt"
            )
        self.load_state_dict({name: weights[name] for name in wanted}, strict=False)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 299, 299) float32 in [0, 255] to (N, 2048)."""
        x = (x - 128) / 128
        for unit in _STEM:
            x = functional.max_pool2d(x, 3, stride=2) if unit is None else self.get_submodule(unit.name)(x)
        for block in _BLOCKS:
            x = self.get_submodule(block.name)(x)
        return x.mean(dim=(2, 3))

    @torch.inference_mode()
    def features(self, pictures: Sequence[Picture]) -> Tensor:
        """(N, 2048) float32 of N pictures of any size, resized as clean-fid does."""
        found: Tensor = self(torch.stack([_resized(picture) for picture in pictures]))
        return found


def layer_shapes() -> dict[str, torch.Size]:
    """Name and shape of every tensor that `Inception` takes from the published state dict."""
    with torch.device("meta"):
        return {
            f"{name}.{key}": tensor.shape
            for name, layer in _layers()
            for key, tensor in layer.state_dict().items()
            if not key.endswith("num_batches_tracked")
        }


def _layers() -> Iterator[tuple[str, nn.Module]]:
    channels = 3
    for unit in _STEM:
        if unit is not None:
            yield unit.name, _ConvNorm(channels, unit)
            channels = unit.channels
    for block in _BLOCKS:
        mixed = _Mixed(channels, block)
        yield block.name, mixed
        channels = mixed.channels


def _resized(picture: Picture) -> Tensor:
    """(3, 299, 299) float32: Pillow's bicubic filter, which averages where it shrinks, without rounding to 8 bit."""
    channels = [
        np.asarray(Image.fromarray(picture[..., c].astype(np.float32)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC))
        for c in range(3)
    ]
    return torch.from_numpy(np.stack(channels))
