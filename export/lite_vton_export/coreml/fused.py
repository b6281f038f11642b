"""A whole try-on as one Core ML package."""

from __future__ import annotations

from pathlib import Path

from lite_vton.model.components import wrapped
from lite_vton_export.coreml.write import export_coreml
from lite_vton_export.fused.from_torch import fused_module, networks_of, parts_together, tensor_spec
from lite_vton_export.fused.parts import Fused, Parts
from lite_vton_export.fused.tensors import fused_tensors
from lite_vton_export.options import CoreMLOptions
from lite_vton_export.precision.half_safety import HalfSafety

__all__ = ["write_fused_coreml"]


def write_fused_coreml(parts: Parts, folder: Path) -> Fused:
    """`model.mlpackage` with the steps of the golden trajectory, in the artifact's own options."""
    networks = networks_of(parts)
    tensors = fused_tensors(parts.config, "coreml", parts.steps)
    module = fused_module(wrapped(networks), parts, tensors)
    precision = parts.artifact.precision
    paths = export_coreml(
        module,
        tensor_spec(tensors),
        parts.config,
        {precision: folder},
        latent_scale=parts.latent_scale,
        safety=HalfSafety(parts_together(parts.kept), folder) if parts.kept else None,
        options=CoreMLOptions(**parts.artifact.options),
    )
    return Fused(paths[precision], tensors, parts.steps)
