"""Whether the manifest says what the bundle's files say: every value that a port reads, worked out again and compared.

What can be computed from the model is computed (schedule, channels, tensors, sizes); the model itself is compared with
the copy in the golden trajectory, and with the short one in each artifact. None of it is a signature: it finds a value
that was changed in one place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from lite_vton.bundle import Bundle, Manifest, compact_metadata, settings_in, unet_channels, written_model
from lite_vton_export.fused.tensors import fused_tensors
from lite_vton_export.manifest.describe import schedule_numbers, source_sha256
from lite_vton_export.parity.gates import GATES
from lite_vton_export.parity.golden import Trajectory
from lite_vton_runtimes.sampling.schedule import scheduler_config

__all__ = ["manifest_faults", "metadata_faults"]

_AGAIN = "export the bundle again"
_SCHEDULER = "scheduler/scheduler_config.json"
_MOST_TOLD = 5


def manifest_faults(bundle: Bundle, golden: Trajectory) -> tuple[str, ...]:
    """What the manifest says otherwise than the files, a line each that names the field; at most a few."""
    faults = [
        *_differences(_said(bundle.manifest), _due(bundle), "manifest.json"),
        *_model_faults(bundle.manifest, golden),
        *_golden_faults(bundle.manifest, golden),
        *_calibration_faults(bundle.manifest, golden),
        *_settings_faults(bundle),
    ]
    return tuple(faults[:_MOST_TOLD])


def metadata_faults(bundle: Bundle, component: str, precision: str, found: Mapping[str, str]) -> list[str]:
    """Where an artifact's short copy of the manifest, `found`, says something else; what it lacks may be missing."""
    manifest = bundle.manifest
    due = compact_metadata(
        manifest.model,
        component=component,
        precision=precision,
        latent_scale=manifest.latent_scale,
        license=manifest.license,
    )
    return [
        f"{component}: its file says {key} is {found[key]!r}, the manifest {value!r}"
        for key, value in due.items()
        if found.get(key, value) != value
    ]


def _said(manifest: Manifest) -> dict[str, Any]:
    return manifest.model_dump(mode="json")


def _due(bundle: Bundle) -> dict[str, Any]:
    """The parts of a manifest that follow from its model, its files and this version, as JSON has them."""
    manifest = bundle.manifest
    config = manifest.model
    weights = "weights" if any(file.startswith("weights/") for file in manifest.files) else None
    made = manifest.model_copy(
        update={
            "height": config.height,
            "width": config.width,
            "default_steps": config.default_steps,
            "default_sampler": config.default_sampler,
            "unet_channels": unet_channels(config),
            "schedule": schedule_numbers(config),
            "weights": weights,
            "golden_reference": "onnxruntime-fp32" if weights is None else "torch-fp32",
            "source": manifest.source.model_copy(update={"sha256": source_sha256(bundle.root, weights)}),
            "fused": {
                name: fused.model_copy(
                    update={"tensors": fused_tensors(config, fused.format, fused.steps), "method": "ddim"}
                )
                for name, fused in manifest.fused.items()
            },
        }
    )
    if find_spec("torch") is not None:  # without it the files' own tensors are compared, when they are run
        from lite_vton.model.components import component_tensors

        made = made.model_copy(update={"components": component_tensors(config)})
    due = made.model_dump(mode="json")
    gates = {name: vars(limits) for name, limits in GATES.items() if name in due["gates"]}
    return {**due, "gates": {**due["gates"], **gates}}


def _model_faults(manifest: Manifest, golden: Trajectory) -> Iterator[str]:
    """Against the copy in the trajectory; older ones have none. A field that a later version added is in none."""
    if golden.about is not None:
        said = {"model": written_model(manifest.model), "latent_scale": manifest.latent_scale}
        yield from _differences(said, golden.about, "manifest.json")


def _golden_faults(manifest: Manifest, golden: Trajectory) -> Iterator[str]:
    size = (manifest.height, manifest.width)
    if golden.picture.shape[:2] != size:
        yield f"manifest.json says {size[0]}x{size[1]} pixels, its trajectory has {golden.picture.shape[:2]}"
    for call in golden.calls:
        tensors = manifest.components.get(call.component)
        if tensors is None:
            yield f"manifest.json lacks components.{call.component}, which its trajectory calls"
            return
        for specs, arrays in ((tensors.inputs, call.inputs), (tensors.outputs, call.outputs)):
            due = {name: (array.shape, array.dtype.name) for name, array in arrays.items()}
            said = {spec.name: (spec.shape, spec.dtype) for spec in specs}
            if said != due:
                yield f"manifest.json says components.{call.component} has {said}, its trajectory has {due}"
                return


def _calibration_faults(manifest: Manifest, golden: Trajectory) -> Iterator[str]:
    """People are dressed to calibrate in the trajectory's steps, each from the noise after."""
    if manifest.calibration is not None:
        due = {"calibration": {"steps": golden.steps, "seed": golden.seed + 1}}
        yield from _differences({"calibration": vars(manifest.calibration)}, due, "manifest.json")


def _settings_faults(bundle: Bundle) -> Iterator[str]:
    """What diffusers and Optimum read: the schedule, and the latent scale; an imported folder's schedule is its own."""
    manifest = bundle.manifest
    imported = manifest.weights is None
    for file in sorted(manifest.files):
        if file == _SCHEDULER or (file.endswith(f"/{_SCHEDULER}") and not imported):
            yield from _differences(
                settings_in(bundle.path(file), _AGAIN), scheduler_config(manifest.model.schedule), file
            )
        elif file.endswith(("/vae_encoder/config.json", "/vae_decoder/config.json")):
            said = settings_in(bundle.path(file), _AGAIN)
            if "scaling_factor" in said:
                yield from _differences(said, {"scaling_factor": manifest.latent_scale}, file)


def _differences(said: Any, due: Any, file: str, where: str = "") -> Iterator[str]:
    """Each value of `due` that `said` has otherwise, or not at all."""
    if isinstance(due, Mapping) and isinstance(said, Mapping):
        for key, value in due.items():
            yield from _differences(said.get(key), value, file, f"{where}.{key}" if where else str(key))
    elif isinstance(due, list | tuple) and isinstance(said, list | tuple) and len(due) == len(said):
        for index, (one, other) in enumerate(zip(said, due, strict=True)):
            yield from _differences(one, other, file, f"{where}.{index}")
    elif not _same(said, due):
        yield f"{file} says {where} is {_short(said)}, its files say {_short(due)}: export it again"


def _same(said: object, due: object) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (said, due))
    if numbers:
        return math.isclose(said, due, rel_tol=1e-9, abs_tol=1e-12)  # type: ignore[arg-type]  # numbers, as was asked
    if isinstance(said, list | tuple) and isinstance(due, list | tuple):
        return list(said) == list(due)
    return type(said) is type(due) and said == due


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
