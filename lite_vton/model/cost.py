"""What each network of a model costs, counted on torch's meta device: seconds, and no memory."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from lite_vton.model.components import components_of
from lite_vton.model.networks import build_networks
from lite_vton.presets.config import ModelConfig

__all__ = ["Cost", "component_costs", "module_cost"]


@dataclass(frozen=True)
class Cost:
    """What one call of a component takes.

    `parameters`   how many numbers of weights it reads
    `flops`        2 x multiply-accumulate of convolutions, matrix products and attention; nothing else is counted
    `activations`  numbers alive at once at the worst moment, layer by layer without a fused attention: input, output
                   and attention matrices included, weights not
    """

    parameters: int
    flops: int
    activations: int


def component_costs(config: ModelConfig) -> dict[str, Cost]:
    """By component, in the order a try-on runs them, for one call at the model's size; the encoder's takes
    `encoder_batch` pictures."""
    with torch.device("meta"):
        networks = build_networks(config)
        return {
            name: module_cost(spec.wrap(networks), [_example(t.shape, t.dtype) for t in spec.inputs(config)])
            for name, spec in components_of(config).items()
        }


def _example(shape: tuple[int, ...], dtype: str) -> torch.Tensor:
    return torch.zeros(shape, dtype=getattr(torch, dtype))


def module_cost(module: nn.Module, inputs: list[torch.Tensor]) -> Cost:
    """What one call of a module takes, its weights and `inputs` on the meta device."""
    ledger = _Ledger(module)
    for tensor in inputs:
        ledger.hold(tensor)
    with torch.no_grad(), FlopCounterMode(display=False) as counter, ledger:
        module(*inputs)
    return Cost(ledger.parameters, counter.get_total_flops(), ledger.most)


class _Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its hooks untyped
    """Notes which weights are read, and how many numbers live in everything that is not a weight."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._unread = {_key(weight): weight.numel() for weight in module.parameters()}
        self._weights = {_key(weight) for weight in (*module.parameters(), *module.buffers())}
        self._live: dict[int, int] = {}
        self._now = 0
        self.most = 0
        self.parameters = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for leaf in tree_leaves((args, kwargs or {})):
            if isinstance(leaf, torch.Tensor):
                self.parameters += self._unread.pop(_key(leaf), 0)
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.hold(leaf)
        return out

    def hold(self, tensor: torch.Tensor) -> None:
        """Count what `tensor` stores for as long as anything refers to it; views of one storage count once."""
        key, storage = _key(tensor), tensor.untyped_storage()
        if key in self._weights or key in self._live:
            return
        self._live[key] = storage.nbytes() // tensor.element_size()
        weakref.finalize(storage, self._forget, key)
        self._now += self._live[key]
        self.most = max(self.most, self._now)

    def _forget(self, key: int) -> None:
        self._now -= self._live.pop(key)


def _key(tensor: torch.Tensor) -> int:
    """Which storage a tensor lies in; on the meta device all addresses are zero."""
    return int(tensor.untyped_storage()._cdata)
