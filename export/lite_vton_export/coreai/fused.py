"""A whole try-on as one Core AI asset."""

from __future__ import annotations

from pathlib import Path

from lite_vton.bundle import compact_metadata
from lite_vton.model.components import wrapped
from lite_vton_export.coreai.write import FP32_PRODUCTS, convert_coreai
from lite_vton_export.fused.from_torch import fused_module, networks_of, tensor_spec
from lite_vton_export.fused.parts import Fused, Parts
from lite_vton_export.fused.tensors import fused_tensors
from lite_vton_export.precision.half_module import in_half_precision
from lite_vton_export.precision.half_safety import float32_products, unsafe_modules

__all__ = ["write_fused_coreai"]


def write_fused_coreai(parts: Parts, folder: Path) -> Fused:
    """`model.aimodel` with the steps of the golden trajectory; at fp16 what lies between networks is in float32."""
    tensors = fused_tensors(parts.config, "coreai", parts.steps)
    precision = parts.artifact.precision
    modules = wrapped(networks_of(parts))
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
    convert_coreai(fused_module(modules, parts, tensors), tensor_spec(tensors), parts.config, path, told)
    return Fused(path, tensors, parts.steps)
