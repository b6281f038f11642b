"""Networks to a finished bundle, or more formats into one: write, verify, and only then rename into place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lite_vton.bundle import Bundle, Calibration, write_bundle
from lite_vton.errors import UserError
from lite_vton.model.components import component_tensors
from lite_vton.model.networks import Networks, check_saved, load_networks, save_networks
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.artifacts import Failed, Origin, write_artifacts
from lite_vton_export.bundle.calibration import Feeds, check_people, record_calibration, record_in_torch
from lite_vton_export.bundle.finish import finish, take_over
from lite_vton_export.bundle.fused import write_fused
from lite_vton_export.bundle.plan import Plan, plan_export
from lite_vton_export.manifest.describe import WEIGHTS_PATH, manifest_of
from lite_vton_export.onnx.layout import write_scheduler
from lite_vton_export.options import ExportOptions
from lite_vton_export.parity.golden import GOLDEN_PATH, Trajectory, load_trajectory, save_trajectory

__all__ = ["Plan", "export_bundle", "extend_bundle", "plan_export"]

_SOURCE = "onnx-fp32"
_SEVERAL = "several machines, or several versions of tools"
"""What everything is made of where there are no weights."""


def export_bundle(
    networks: Networks,
    inputs: TryOnInputs,
    output: Path,
    formats: Sequence[str] = ("onnx",),
    precisions: Sequence[str] = ("fp32", "fp16"),
    *,
    steps: int | None = None,
    seed: int = 0,
    calibration: Sequence[TryOnInputs] = (),
    calibration_source: str = "",
    checkpoint: str = "random weights",
    fused: bool = False,
    options: ExportOptions | None = None,
    min_psnr: float | None = None,
    overwrite: bool = False,
    failed: Failed | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Write `output`, a folder or a `.zip`, with one artifact per format and precision, and open it.

    `formats` and `precisions` as `plan_export` takes them. `inputs` are what the golden trajectory is recorded on, in
    `steps` steps (default: the model's own) from noise `seed`. `calibration` are other people, dressed in as many
    steps, whom the integer precisions are calibrated on (only then are any needed), and `calibration_source` says where
    they came from. With `fused` each artifact has its fused form (`lite_vton_export.fused`) beside it. `checkpoint`
    names where the weights came from, `options` is what single formats are told. `on_progress` is told each stage in
    words.
    Raises `VerificationError` if an artifact misses its gate, `UserError` for what was asked wrongly or a full disk;
    then nothing is written, and an existing bundle stays as it was. With `failed`, an artifact that cannot be made or
    misses its gate is named to it and left out, and only if none is left is it an error.
    """
    config = networks.config
    plan = plan_export(config, output, formats, precisions, fused=fused)
    if plan.is_calibrated:
        check_people(calibration, config)
    say = on_progress or (lambda _stage: None)
    steps = config.default_steps if steps is None else steps
    with write_bundle(plan.output, overwrite) as folder:
        say("weights")
        _ship_weights(networks, folder / WEIGHTS_PATH)
        say("golden trajectory")
        golden = _record_golden(networks, inputs, folder, steps, seed)
        feeds, calibrated = _calibrated(networks, plan, calibration, calibration_source, steps, seed, say)
        origin = Origin(config, networks.latent_scale, networks)
        artifacts, kept = write_artifacts(origin, plan, folder, golden, feeds, options or ExportOptions(), say, failed)
        whole = write_fused(folder, plan, artifacts, config, networks.latent_scale, steps, networks, kept, say, failed)
        write_scheduler(config, folder / "scheduler")
        manifest = manifest_of(
            config, networks.latent_scale, component_tensors(config), artifacts, checkpoint, calibrated, folder
        )
        manifest = manifest.model_copy(update={"kept_in_float32": kept, "fused": whole})
        finish(folder, manifest, artifacts, whole, min_psnr, failed, say)
    return Bundle.open(plan.output, check=False)


def extend_bundle(
    bundle: Bundle,
    output: Path,
    formats: Sequence[str],
    precisions: Sequence[str],
    *,
    calibration: Sequence[TryOnInputs] = (),
    calibration_source: str = "",
    fused: bool = False,
    options: ExportOptions | None = None,
    min_psnr: float | None = None,
    overwrite: bool = False,
    failed: Failed | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Write `output` with all that `bundle` has, and the artifacts asked for made of its weights; `output` may be it.

    Of a bundle without weights, as an import of ONNX files is, they are made of its float32 ONNX files.
    Weights, golden trajectory and other artifacts stay as they are, byte for byte; those asked for are made anew, and
    they alone are verified. With `fused` that is the fused form alone of artifacts that are there already. Options,
    errors and what an error leaves are `export_bundle`'s.
    """
    old = bundle.manifest
    config = old.model
    if old.golden is None or (old.weights is None and _SOURCE not in old.artifacts):
        raise UserError(f"{bundle.root} has no weights, or no trajectory to check against: export the model itself")
    plan = plan_export(config, output, formats, precisions, weights=old.weights is not None, fused=fused)
    wanted, plan = plan, plan.without(old.artifacts) if fused else plan
    if plan.is_calibrated:
        check_people(calibration, config)
    say = on_progress or (lambda _stage: None)
    origin = _origin_of(bundle)
    golden = load_trajectory(bundle.path(old.golden))
    asked = {*plan.names, *wanted.fused_names}
    with write_bundle(plan.output, overwrite) as folder:
        say("what is there")
        in_place = plan.output.exists() and plan.output.resolve() == bundle.root.resolve()
        take_over(bundle, folder, asked, link=in_place)
        feeds, calibrated = _calibrated(
            origin.networks, plan, calibration, calibration_source, golden.steps, golden.seed, say
        )
        artifacts, kept = write_artifacts(origin, plan, folder, golden, feeds, options or ExportOptions(), say, failed)
        others = {name: artifact for name, artifact in old.artifacts.items() if name not in asked}
        present = others | artifacts
        whole = write_fused(
            folder,
            wanted,
            present,
            config,
            old.latent_scale,
            golden.steps,
            origin.networks,
            old.kept_in_float32 | kept,
            say,
            failed,
        )
        made = manifest_of(
            config,
            old.latent_scale,
            old.components,
            present,
            "",
            calibrated or old.calibration,
            folder,
            weights=old.weights,
        )
        # Of an older writer there may be more to say than this version knows how to.
        manifest = old.model_copy(
            update={name: getattr(made, name) for name in ("tools", "artifacts", "calibration", "gates", "files")}
            | {"machine": made.machine if (made.machine, made.tools) == (old.machine, old.tools) else _SEVERAL}
            | {"source": old.source.model_copy(update={"sha256": made.source.sha256})}
            | {"kept_in_float32": old.kept_in_float32 | kept}
            | {"fused": {name: one for name, one in old.fused.items() if name not in asked} | whole}
        )
        finish(folder, manifest, artifacts, whole, min_psnr, failed, say)
    return Bundle.open(plan.output, check=False)


def _origin_of(bundle: Bundle) -> Origin:
    """A bundle's weights as networks, or where it has none its float32 ONNX files."""
    manifest = bundle.manifest
    if manifest.weights is None:
        files = manifest.artifacts[_SOURCE].components
        onnx = {name: bundle.path(component.model) for name, component in files.items()}
        return Origin(manifest.model, manifest.latent_scale, None, onnx)
    weights = bundle.path(manifest.weights)
    networks = load_networks(manifest.model, weights / "autoencoder.safetensors", weights / "unet.safetensors")
    return Origin(manifest.model, manifest.latent_scale, networks)


def _calibrated(
    networks: Networks | None,
    plan: Plan,
    people: Sequence[TryOnInputs],
    source: str,
    steps: int,
    seed: int,
    say: Callable[[str], None],
) -> tuple[Mapping[str, Sequence[Feeds]], Calibration | None]:
    """The calls to calibrate on, by component, and what the manifest says of them; nothing where nothing needs it."""
    if not plan.is_calibrated or networks is None:
        return {}, None
    feeds = record_calibration(networks, people, steps=steps, seed=seed + 1, on_progress=say)
    return feeds, Calibration(source=source, people=len(people), steps=steps, seed=seed + 1)


def _ship_weights(networks: Networks, folder: Path) -> None:
    """Save the weights and read them back: everything after is made of `networks`, which they have to equal bit by bit.

    float16 where that loses nothing, as with weights that came in float16; else float32.
    """
    import torch

    modules = (networks.autoencoder, networks.unet, networks.image_encoder)
    weights = (weight for module in modules if module is not None for weight in module.state_dict().values())
    lossless = all(torch.equal(w, w.half().to(w.dtype)) for w in weights if w.is_floating_point())
    paths = (folder / "autoencoder.safetensors", folder / "unet.safetensors")
    save_networks(networks, *paths, dtype=torch.float16 if lossless else torch.float32)
    check_saved(networks, *paths)


def _record_golden(
    networks: Networks,
    inputs: TryOnInputs,
    folder: Path,
    steps: int,
    seed: int,
) -> Trajectory:
    trajectory = record_in_torch(networks, inputs, steps=steps, seed=seed)
    save_trajectory(trajectory, folder / GOLDEN_PATH)
    return trajectory
