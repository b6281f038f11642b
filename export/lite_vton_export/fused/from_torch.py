"""What formats that are written from torch share of the fused form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from torch import nn

from lite_vton.bundle import ComponentTensors, KeptInFloat32
from lite_vton.errors import UserError
from lite_vton.model.components import ComponentSpec
from lite_vton.model.networks import Networks
from lite_vton_export.fused.module import FusedTryOn
from lite_vton_export.fused.parts import Parts

__all__ = ["fused_module", "networks_of", "parts_together", "tensor_spec"]


def networks_of(parts: Parts) -> Networks:
    """The networks with weights; `UserError` for a bundle without any."""
    if parts.networks is None:
        raise UserError(f"{parts.artifact.format} is made from weights, and the bundle has none: leave it out")
    return parts.networks


def fused_module(modules: Mapping[str, nn.Module], parts: Parts, tensors: ComponentTensors) -> nn.Module:
    """The whole try-on as one module that takes `tensors.inputs` in their order."""
    names = tuple(spec.name for spec in tensors.inputs)
    return FusedTryOn(modules, parts.config, parts.latent_scale, parts.steps, names).eval()


def tensor_spec(tensors: ComponentTensors) -> ComponentSpec:
    """The whole try-on as a component, for writers that ask one for its tensors."""

    def not_wrapped(_networks: Networks) -> nn.Module:
        raise TypeError("a fused module is handed over as it is")

    return ComponentSpec("try_on", not_wrapped, lambda _config: tensors.inputs, lambda _config: tensors.outputs)


def parts_together(kept: Mapping[str, KeptInFloat32]) -> KeptInFloat32:
    """What fp16 keeps in float32 of every component, by the names that modules have in the fused one."""

    def named(part: Callable[[KeptInFloat32], Mapping[str, str]]) -> dict[str, str]:
        rows: Iterable[tuple[str, KeptInFloat32]] = kept.items()
        return {f"{name}.{key}" if key else name: reason for name, one in rows for key, reason in part(one).items()}

    return KeptInFloat32(
        calls=max(one.calls for one in kept.values()),
        nodes=named(lambda one: one.nodes),
        modules=named(lambda one: one.modules),
        blocks=named(lambda one: one.blocks),
    )
