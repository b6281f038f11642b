"""What a child times: by engine, a network made ready as a function without arguments. Torch is imported where used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.presets.autoencoders import with_autoencoder
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset
from lite_vton_runtimes.benchmark.child import random_inputs, random_try_on
from tests.benchmarks.full.contenders import DETAIL, TRY_ON

if TYPE_CHECKING:
    import torch
    from torch import nn

    from lite_vton_runtimes.base import Runtime

__all__ = ["ENGINES", "Task", "work"]

Work = Callable[[], object]


@dataclass(frozen=True)
class Task:
    """What one child measures: `target` of a bundle, or of a preset's random weights where there is no bundle."""

    engine: str
    precision: str
    target: str
    preset: str
    autoencoder: str
    bundle: str | None
    steps: int

    @property
    def config(self) -> ModelConfig:
        """The model, with the autoencoder asked for."""
        return with_autoencoder(preset(self.preset), self.autoencoder)


def work(task: Task) -> Work:
    """The task's warm work: every network it needs has answered once."""
    return ENGINES[task.engine](task)


def _by_runtime(task: Task) -> Work:
    """As users run a bundle, through the front door; its hashes were checked by who made it."""
    from lite_vton import load

    assert task.bundle is not None
    bundle = Bundle.open(Path(task.bundle), check=False)
    # The manifest's tensors, not the model's: a process without torch is what an edge box runs.
    return _on(load(bundle, backend=task.engine, precision=task.precision), bundle.manifest.components, task)


def _by_torch(task: Task) -> Work:
    """A bundle's weights in torch; without one, random ones, of the network alone that is asked for."""
    if task.bundle is not None:
        return _by_runtime(task)
    module, inputs = _module(task)
    return _eager(module, inputs)


def _on(runtime: Runtime, tensors: Mapping[str, ComponentTensors], task: Task) -> Work:
    from lite_vton_runtimes.sampling.pipeline import try_on

    config = task.config
    whole = task.target in (TRY_ON, DETAIL)
    random = random_inputs(tensors)
    for name in config.components if whole else (task.target,):
        runtime.components[name](random[name])
    if not whole:
        component, given = runtime.components[task.target], random[task.target]
        return lambda: component(given)
    inputs = random_try_on(config.height, config.width)
    return lambda: try_on(
        runtime,
        inputs,
        config,
        config.autoencoder.latent_scale,
        steps=task.steps,
        detail=task.target == DETAIL,
    )


def _module(task: Task) -> tuple[nn.Module, list[torch.Tensor]]:
    """The component as a torch module with weights, and its inputs."""
    import torch

    from lite_vton.model.components import component_tensors, components_of
    from lite_vton.model.networks import build_networks, load_networks

    config = task.config
    if task.bundle is not None:
        weights = Path(task.bundle) / "weights"
        networks = load_networks(config, weights / "autoencoder.safetensors", weights / "unet.safetensors")
        module = components_of(config)[task.target].wrap(networks)
    else:
        with torch.device("meta"):
            module = components_of(config)[task.target].wrap(build_networks(config))
        module = module.to_empty(device="cpu")
        _draw(module)
    given = random_inputs(component_tensors(config))[task.target]
    return module.eval(), [torch.from_numpy(array) for array in given.values()]


def _draw(module: nn.Module) -> None:
    """Random weights of the usual size, a million numbers over and over: drawing all of a teacher's takes a minute."""
    import torch

    numbers = torch.empty(1 << 20).uniform_(-1, 1)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() == 1:
                weight.fill_(0.5)
                continue
            for part in weight.view(-1).split(len(numbers)):
                torch.mul(numbers[: len(part)], weight[0].numel() ** -0.5, out=part)


def _eager(module: nn.Module, inputs: list[torch.Tensor]) -> Work:
    import torch

    def run() -> object:
        with torch.inference_mode():
            return module(*inputs)

    run()
    return run


def _channels_last(task: Task) -> Work:
    import torch

    module, inputs = _module(task)
    module = module.to(memory_format=torch.channels_last)  # type: ignore[assignment, call-overload]
    return _eager(module, [_last(tensor) for tensor in inputs])


def _compiled(task: Task) -> Work:
    import torch
    from torch._inductor import config as inductor

    module, inputs = _module(task)
    if task.precision == "bf16":
        module = module.to(torch.bfloat16)
        inputs = [tensor.bfloat16() if tensor.is_floating_point() else tensor for tensor in inputs]
    inductor.freezing = True  # 10 % faster here than without (torch 2.13)
    module = torch.compile(module.to(memory_format=torch.channels_last))  # type: ignore[assignment, call-overload]
    inputs = [_last(tensor) for tensor in inputs]

    def run() -> object:
        with torch.no_grad():  # freezing refuses tensors made in inference mode
            return module(*inputs)

    run()
    return run


def _last(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


ENGINES: Mapping[str, Callable[[Task], Work]] = {
    "torch": _by_torch,
    "onnxruntime": _by_runtime,
    "openvino": _by_runtime,
    "torch-channels-last": _channels_last,
    "torch-compile": _compiled,
    "torch-compile-bf16": _compiled,
}
"""Engine of a `Contender` to what makes it ready."""
