"""Core ML and Core AI of a whole try-on: the converters of their components, given one module that is all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from torch import nn

from export.coreai import FP32_PRODUCTS, convert_coreai
from export.coreml import export_coreml
from export.fused import Fused, Parts
from export.fused_module import FusedTryOn
from export.fused_tensors import fused_tensors
from export.half_precision import in_half_precision
from export.half_safety import HalfSafety, float32_products, unsafe_modules
from export.options import CoreMLOptions
from lite_vton.bundle import ComponentTensors, KeptInFloat32, compact_metadata
from lite_vton.errors import UserError
from lite_vton.model.components import ComponentSpec, wrapped
from lite_vton.model.networks import Networks

__all__ = ["write_fused_coreai", "write_fused_coreml"]


def write_fused_coreml(parts: Parts, folder: Path) -> Fused:
    """`model.mlpackage` with the steps of the golden trajectory, in the artifact's own options."""
    networks = _networks(parts)
    tensors = fused_tensors(parts.config, "coreml", parts.steps)
    module = _module(wrapped(networks), parts, tensors)
    precision = parts.artifact.precision
    paths = export_coreml(
        module,
        _spec(tensors),
        parts.config,
        {precision: folder},
        latent_scale=parts.latent_scale,
        safety=HalfSafety(_together(parts.kept), folder) if parts.kept else None,
        options=CoreMLOptions(**parts.artifact.options),
    )
    return Fused(paths[precision], tensors, parts.steps)


def write_fused_coreai(parts: Parts, folder: Path) -> Fused:
    """`model.aimodel` with the steps of the golden trajectory; at fp16 what lies between networks is in float32."""
    tensors = fused_tensors(parts.config, "coreai", parts.steps)
    precision = parts.artifact.precision
    modules = wrapped(_networks(parts))
    about = compact_metadata(parts.config, component="try_on", precision=precision, latent_scale=parts.latent_scale)
    told = {f"lite_vton.{key}": value for key, value in about.items()}
    if precision == "fp16":
        kept = {name: parts.kept.get(name) for name in modules}
        # Every step and both decodings count, so no more than so many are to be found.
        wide = sum(float32_products(module, kept[name]) for name, module in modules.items())
        told[FP32_PRODUCTS] = str(wide * max(parts.steps, 2))
        modules = {
            name: in_half_precision(module.eval(), unsafe_modules(module, kept[name]))
            for name, module in modules.items()
        }
    path = folder / "model.aimodel"
    convert_coreai(_module(modules, parts, tensors), _spec(tensors), parts.config, path, told)
    return Fused(path, tensors, parts.steps)


def _networks(parts: Parts) -> Networks:
    if parts.networks is None:
        raise UserError(f"{parts.artifact.format} is made from weights, and the bundle has none: leave it out")
    return parts.networks


def _module(modules: Mapping[str, nn.Module], parts: Parts, tensors: ComponentTensors) -> nn.Module:
    names = tuple(spec.name for spec in tensors.inputs)
    return FusedTryOn(modules, parts.config, parts.latent_scale, parts.steps, names).eval()


def _spec(tensors: ComponentTensors) -> ComponentSpec:
    def not_wrapped(_networks: Networks) -> nn.Module:
        raise TypeError("a fused module is handed over as it is")

    return ComponentSpec("try_on", not_wrapped, lambda _config: tensors.inputs, lambda _config: tensors.outputs)


def _together(kept: Mapping[str, KeptInFloat32]) -> KeptInFloat32:
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
