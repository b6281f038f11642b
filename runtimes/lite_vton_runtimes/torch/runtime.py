"""PyTorch on the CPU in float32: the reference that every other backend is held against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lite_vton.bundle import ComponentTensors
from lite_vton_runtimes.base import Array, Component
from lite_vton_runtimes.networks import BundleRuntime
from lite_vton_runtimes.tensors import ordered

__all__ = ["TorchRuntime"]


class TorchRuntime(BundleRuntime[Component]):
    """Modules as they are, offered as a `Runtime`.

    `modules` maps component names to modules whose `forward` takes the tensors of `tensors[name].inputs` by position
    and returns the single one of `tensors[name].outputs`. They are put in eval mode and float32, in place.
    `threads` sets torch's thread count, which is one for the whole process; None leaves it alone.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        tensors: Mapping[str, ComponentTensors],
        *,
        name: str = "torch-fp32",
        threads: int | None = None,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        super().__init__(name, {key: _component(key, module, tensors[key]) for key, module in modules.items()})


def _component(name: str, module: nn.Module, tensors: ComponentTensors) -> Component:
    module = module.eval().float()
    (output,) = tensors.outputs

    def run(inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
        # torch cannot mark a tensor as read-only and warns; the modules do not write to their inputs.
        arrays = [a if a.flags.writeable else a.copy() for a in ordered(name, tensors.inputs, inputs)]
        with torch.inference_mode():
            answer: Array = module(*(torch.from_numpy(a) for a in arrays)).numpy()
        return {output.name: answer}

    return run
