"""The TensorRT engine of a whole try-on, built from the bundle's ONNX files fused with fixed steps, and read back."""

from __future__ import annotations

from pathlib import Path

import onnx

from lite_vton.atomic import scratch_folder
from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig
from lite_vton_export.fused.parts import Fused, Parts
from lite_vton_export.fused.tensors import fused_tensors
from lite_vton_export.onnx.fused import fuse_onnx
from lite_vton_export.tensorrt.cache import cache_folder, engine_from_cache
from lite_vton_export.tensorrt.same_engine import same_engine
from lite_vton_export.tensorrt.write import build_engine, engine_request
from lite_vton_export.verify.readback import Readback
from lite_vton_runtimes.fused import fused_artifact
from lite_vton_runtimes.tensorrt.engine import read_record
from lite_vton_runtimes.tensorrt.library import load_tensorrt

__all__ = ["read_back_fused", "write_fused_tensorrt"]


def write_fused_tensorrt(parts: Parts, folder: Path) -> Fused:
    """`model.engine` and its record, of the `onnx-<precision>` files of the same bundle; `UserError` without those."""
    precision = parts.artifact.precision
    files = {name: parts.folder / f"onnx-{precision}" / name / "model.onnx" for name in parts.config.components}
    if not all(file.is_file() for file in files.values()):
        raise UserError(f"a fused engine is built from onnx-{precision}, which the bundle lacks: add --format onnx")
    tensors = fused_tensors(parts.config, "tensorrt", parts.steps)
    path = _engine(files, parts.config, parts.latent_scale, parts.steps, precision, tensors, folder)
    return Fused(path, tensors, parts.steps)


def read_back_fused(bundle: Bundle, precision: str) -> Readback:
    """Build the engine again from the bundle's ONNX files, which ONNX Runtime runs, and compare (`same_engine`)."""
    manifest, fused = bundle.manifest, fused_artifact(bundle, "tensorrt", precision)
    own = manifest.artifacts.get(f"onnx-{precision}")
    engine = bundle.path(fused.model)
    record = read_record(engine)
    tensorrt = load_tensorrt()
    if (
        own is None
        or fused.steps is None
        or (record.flavour, record.version) != (tensorrt.flavour.name, tensorrt.version)
    ):
        return Readback(("the precision of each product",), ())
    files = {name: bundle.path(component.model) for name, component in own.components.items()}
    with scratch_folder() as temporary:
        folder = temporary / "engine"
        again = _engine(files, manifest.model, manifest.latent_scale, fused.steps, precision, fused.tensors, folder)
        outputs = [spec.name for spec in fused.tensors.outputs]
        same = same_engine(again.read_bytes(), engine.read_bytes(), outputs)
    checked = (
        "the precision of each product",
        f"each byte of what the bundle's onnx-{precision} gives when built again",
    )
    return Readback(checked, () if same else (f"the engine is not what the bundle's onnx-{precision} gives",))


def _engine(
    files: dict[str, Path],
    config: ModelConfig,
    latent_scale: float,
    steps: int,
    precision: str,
    tensors: ComponentTensors,
    folder: Path,
) -> Path:
    tensorrt = load_tensorrt()
    with scratch_folder() as temporary:
        source = temporary / "model.onnx"
        onnx.save(fuse_onnx(files, config, latent_scale, steps), source)
        request = engine_request(source, config.name, "try_on", precision, tensors, tensorrt, ())
        return engine_from_cache(request, lambda: build_engine(source, request, tensorrt), folder, cache_folder())
