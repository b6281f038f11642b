"""One point of the growth: a component at some size and batch, in torch or OpenVINO; or a try-on of some steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.presets.autoencoders import with_autoencoder
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset
from lite_vton_runtimes.benchmark.child import random_inputs

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Point", "work_at", "write_shapeless"]


@dataclass(frozen=True)
class Point:
    """`model` is an OpenVINO file of `write_shapeless`, None for torch; `warm_height` and `warm_width` are torch's.

    Torch is warmed at a smaller size: at the largest one a call takes most of a minute, and allocates anew every time.
    """

    component: str
    preset: str
    autoencoder: str
    height: int
    width: int
    batch: int
    precision: str
    model: str | None
    warm_height: int
    warm_width: int

    def at(self, height: int, width: int) -> ModelConfig:
        """The model at another size."""
        return replace(with_autoencoder(preset(self.preset), self.autoencoder), height=height, width=width)


def work_at(point: Point) -> Callable[[], object]:
    """The point's work, warm."""
    if point.model is not None:
        return _openvino(Path(point.model), point)
    inputs = _inputs(point.at(point.height, point.width), point.component, point.batch)
    return _torch(point, inputs)


def _inputs(config: ModelConfig, component: str, batch: int) -> list[NDArray[np.generic]]:
    from lite_vton.model.components import component_tensors

    arrays = random_inputs(component_tensors(config))[component].values()
    return [np.concatenate([array] * batch) for array in arrays]


def _torch(point: Point, inputs: list[NDArray[np.generic]]) -> Callable[[], object]:
    import torch

    module = _module(point)

    def answer(arrays: list[NDArray[np.generic]]) -> object:
        with torch.inference_mode():
            return module(*(torch.from_numpy(array) for array in arrays))

    answer(_inputs(point.at(point.warm_height, point.warm_width), point.component, 1))
    return lambda: answer(inputs)


def _module(point: Point) -> nn.Module:
    from lite_vton.model.components import components_of
    from lite_vton.model.networks import random_networks

    config = point.at(point.warm_height, point.warm_width)
    return components_of(config)[point.component].wrap(random_networks(config)).eval()


def _openvino(file: Path, point: Point) -> Callable[[], object]:
    """Without torch in the process, whose memory is measured too."""
    from lite_vton_runtimes.openvino.runtime import compiled, read

    model = read(file)
    given = {"vae_encoder": ("picture",), "unet": ("sample", "timestep"), "vae_decoder": ("latent",)}[point.component]
    inputs = [_array(name, point) for name in given]
    model.reshape({port: list(array.shape) for port, array in zip(model.inputs, inputs, strict=True)})
    request = compiled(model, point.precision).create_infer_request()
    feeds = dict(enumerate(inputs))
    request.infer(feeds)
    return lambda: request.infer(feeds, share_inputs=True)


def _array(name: str, point: Point) -> NDArray[np.generic]:
    config = point.at(point.height, point.width)
    _, channels, height, width = config.latent_shape
    if name == "timestep":
        return np.zeros(point.batch, np.int64)
    shape = {
        "picture": (3, point.height, point.width),
        "sample": (config.unet_in_channels, height, width),
        "latent": (channels, height, width),
    }[name]
    return np.random.default_rng(0).standard_normal((point.batch, *shape), dtype=np.float32)


def write_shapeless(point: Point, file: Path) -> None:
    """The point's component as an OpenVINO file that can be given any size, from torch itself.

    Our artifacts come from ONNX files of one size. This one has the same layers and, in int8, the same quantisation but
    for the layers that `lite_vton_export.precision.float_layers` keeps in float; it is for timing alone.
    """
    import openvino as ov
    import torch

    config = point.at(point.warm_height, point.warm_width)
    inputs = _inputs(config, point.component, 1)
    with torch.no_grad():
        model = ov.convert_model(_module(point), example_input=tuple(torch.from_numpy(array) for array in inputs))
    if point.precision == "int8":
        import logging

        import nncf

        nncf.set_log_level(logging.ERROR)
        model = nncf.quantize(
            model,
            nncf.Dataset([dict(enumerate(inputs))]),
            preset=nncf.QuantizationPreset.MIXED,
            target_device=nncf.TargetDevice.CPU,
            subset_size=1,
            model_type=nncf.ModelType.TRANSFORMER,
            ignored_scope=nncf.IgnoredScope(types=["Add", "Subtract", "Multiply"], validate=False),
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(model, file, compress_to_fp16=False)
