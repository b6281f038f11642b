"""What can be told of a bundle's TensorRT engines where no GPU runs them.

Their plan and their constants are read from the files (`lite_vton_export.tensorrt.plan`,
`lite_vton_export.tensorrt.weights`). What those leave open, above all the order of channels and the graph between the
layers, is settled by building each engine again: TensorRT-RTX (1.7) gives the same bytes for the same ONNX file on the
same kind of machine, in any process. The ONNX file is the bundle's own, which ONNX Runtime runs on the golden
trajectory, or else exported anew from its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.atomic import scratch_folder
from lite_vton.bundle import Bundle
from lite_vton_export.precision.half_safety import HalfSafety
from lite_vton_export.tensorrt.cache import cache_folder, engine_from_cache
from lite_vton_export.tensorrt.weights import foreign_weights
from lite_vton_export.verify.readback import Readback
from lite_vton_runtimes.tensorrt.engine import ENGINE_NAME, EngineRecord, EngineRequest, read_record
from lite_vton_runtimes.tensorrt.library import load_tensorrt

if TYPE_CHECKING:
    from lite_vton.model.components import ComponentSpec

__all__ = ["read_back_engines"]

_TOOLS = ("lite-vton", "torch", "diffusers", "transformers", "onnx", "onnxscript", "onnxruntime")
"""What decides how an ONNX file is written, as far as the manifest names it."""


def read_back_engines(bundle: Bundle, precision: str) -> Readback:
    """Compare the `tensorrt-<precision>` folder of a bundle with its weights, and with engines built from its ONNX.

    Precision, inputs and outputs are `lite_vton_export.tensorrt.precision.found_precision`'s matter. Raises `UserError`
    for engines that are not whole or hold nothing readable.
    """
    engines = {name: bundle.path(f"tensorrt-{precision}/{name}/{ENGINE_NAME}") for name in bundle.manifest.components}
    records = {name: read_record(engine) for name, engine in engines.items()}
    checked = ["the precision of each product", "inputs and outputs"]
    faults: list[str] = []
    if any(record.flavour != "tensorrt-rtx" for record in records.values()):
        return Readback(("records and hashes alone: engines of classic TensorRT tell nothing without a GPU",), ())
    if bundle.manifest.weights is None:
        checked.append("no weights: the bundle has none to compare with")
    else:
        faults += foreign_weights(bundle, precision)
        checked.append("the values of the bundle's weights")
    rebuilt = _against_rebuilt(bundle, precision, records)
    return Readback((*checked, *rebuilt.checked), (*faults, *rebuilt.faults))


def _against_rebuilt(bundle: Bundle, precision: str, records: Mapping[str, EngineRecord]) -> Readback:
    try:
        from lite_vton_export.tensorrt.write import build_engine, engine_request, this_machine

        tensorrt = load_tensorrt()
    except ModuleNotFoundError as error:
        return _not_rebuilt(f"needs the package {error.name}")
    here = (tensorrt.flavour.name, tensorrt.version, this_machine())
    for record in records.values():
        there = (record.flavour, record.version, record.built_on)
        if there != here:
            return _not_rebuilt(
                f"built by {' '.join(there[:2])} on {there[2]}, here is {' '.join(here[:2])} on {here[2]}"
            )
    faults: list[str] = []
    own = f"onnx-{precision}"
    with scratch_folder() as folder:
        if own in bundle.manifest.artifacts:
            origin = f"the bundle's {own}"
            sources = {name: bundle.path(f"{own}/{name}/model.onnx") for name in records}
        elif bundle.manifest.weights is None:
            return _not_rebuilt("the bundle has neither ONNX files nor weights")
        elif changed := _changed_tools(bundle):
            return _not_rebuilt(f"the bundle has no {own}, and {changed}")
        else:
            origin = "the bundle's weights"
            try:
                sources = _exported(bundle, precision, folder)
            except ModuleNotFoundError as error:
                return _not_rebuilt(f"needs the package {error.name}")
        for name, record in records.items():
            source, tensors = sources[name], bundle.manifest.components[name]
            request = engine_request(
                source, bundle.manifest.model.name, name, precision, tensors, tensorrt, record.compute_capabilities
            )
            if differences := record.differences(request):
                faults.append(f"{name}: {', '.join(differences)} of its record are not what {origin} give")
                continue

            def build(source: Path = source, request: EngineRequest = request) -> memoryview:
                return build_engine(source, request, tensorrt)

            again = engine_from_cache(request, build, folder / "engines" / name, cache_folder())
            if read_record(again).engine_sha256 != record.engine_sha256:
                faults.append(f"{name} is not the engine that {origin} give")
    return Readback((f"each byte of what {origin} give when built again",), tuple(faults))


def _not_rebuilt(reason: str) -> Readback:
    return Readback((f"no byte of a rebuilt one ({reason})",), ())


def _exported(bundle: Bundle, precision: str, folder: Path) -> dict[str, Path]:
    """ONNX files of every component, from the bundle's weights, below `folder`."""
    from lite_vton.model.components import components_of
    from lite_vton.model.networks import load_networks
    from lite_vton_export.onnx.write import export_onnx, trace_onnx

    manifest = bundle.manifest
    files = (bundle.path(f"{manifest.weights}/{name}.safetensors") for name in ("autoencoder", "unet"))
    networks = load_networks(manifest.model, *files)

    def exported(spec: ComponentSpec) -> Path:
        kept = manifest.kept_in_float32.get(spec.name)
        module, target = spec.wrap(networks), {precision: folder / "onnx" / spec.name}
        safety = None
        if kept is not None:
            safety = HalfSafety(kept, trace_onnx(module, spec, manifest.model, folder / "traced" / spec.name))
        return export_onnx(module, spec, manifest.model, target, latent_scale=manifest.latent_scale, safety=safety)[
            precision
        ]

    return {name: exported(spec) for name, spec in components_of(manifest.model).items()}


def _changed_tools(bundle: Bundle) -> str:
    """Which package that writes ONNX has another version here, in words; empty if none has."""
    for package in _TOOLS:
        try:
            here = version(package)
        except PackageNotFoundError:
            here = "missing"
        there = bundle.manifest.tools.get(package, "missing")
        if here != there:
            return f"was exported with {package} {there}, here is {here}"
    return ""
