"""Networks to a finished bundle: write, verify, and only then rename into place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.calibration import Feeds, check_people, record_calibration
from export.diffusers_layout import write_scheduler
from export.formats import Format, load_attribute, require
from export.golden import GOLDEN_PATH, record_trajectory, save_trajectory
from export.manifest import WEIGHTS_PATH, manifest_of
from export.options import ExportOptions
from export.verify import ArtifactReport, Report, VerificationError, verify
from lite_vton.bundle import (
    Artifact,
    Bundle,
    Calibration,
    ComponentFiles,
    ComponentTensors,
    Parity,
    write_bundle,
    write_manifest,
)
from lite_vton.errors import UserError
from lite_vton.inputs import TryOnInputs
from lite_vton.model.components import component_tensors, components_of, wrapped
from lite_vton.model.networks import Networks, load_networks, save_networks
from lite_vton.presets import ModelConfig
from runtimes.torch_runtime import TorchRuntime

__all__ = ["Plan", "export_bundle", "plan_export"]


@dataclass(frozen=True)
class Plan:
    """What an export would write: artifact folders, and the component files in each, relative to `output`."""

    output: Path
    artifacts: tuple[tuple[Format, str], ...]
    components: tuple[str, ...]

    def __str__(self) -> str:
        files = (f"  {folder}" for folder in self.folders)
        return "\n".join((f"{self.output}", f"  {WEIGHTS_PATH}", "  golden", *files))

    @property
    def by_format(self) -> dict[Format, tuple[str, ...]]:
        """The precisions of each format, in the order asked for."""
        rows = dict.fromkeys(row for row, _ in self.artifacts)
        return {row: tuple(precision for other, precision in self.artifacts if other is row) for row in rows}

    @property
    def is_calibrated(self) -> bool:
        """Whether anything in it is quantised to the ranges of real try-ons, and so needs people to calibrate on."""
        return any(precision in row.calibrated for row, precision in self.artifacts)

    @property
    def folders(self) -> tuple[str, ...]:
        """One `<format>-<precision>/<component>` per file to be written."""
        return tuple(f"{row.name}-{precision}/{name}" for row, precision in self.artifacts for name in self.components)


def plan_export(
    config: ModelConfig,
    output: Path,
    formats: Sequence[str] = ("onnx",),
    precisions: Sequence[str] = ("fp32", "fp16"),
) -> Plan:
    """Check the request and say what it would write, without writing; raises `UserError` as `export_bundle` would."""
    return Plan(Path(output), require(formats, precisions), config.components)


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
    options: ExportOptions | None = None,
    min_psnr: float | None = None,
    overwrite: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Write `output`, a folder or a `.zip`, with one artifact per format and precision, and open it.

    `inputs` are what the golden trajectory is recorded on, in `steps` steps (default: the model's own) from
    noise `seed`. `calibration` are other people, dressed in as many steps, whom the integer precisions are calibrated
    on (only then are any needed), and `calibration_source` says where they came from. `checkpoint` names where the
    weights came from, `options` is what single formats are told. `on_progress` is told each stage in words.
    Raises `VerificationError` if an artifact misses its gate, `UserError` for what was asked wrongly or a full disk;
    then nothing is written, and an existing bundle stays as it was.
    """
    config = networks.config
    plan = plan_export(config, output, formats, precisions)
    if plan.is_calibrated:
        check_people(calibration, config)
    say = on_progress or (lambda _stage: None)
    steps = config.default_steps if steps is None else steps
    with write_bundle(plan.output, overwrite) as folder:
        say("weights")
        networks = _ship_weights(networks, folder / WEIGHTS_PATH)
        tensors = component_tensors(config)
        say("golden trajectory")
        _record_golden(networks, tensors, inputs, folder, steps, seed)
        feeds: Mapping[str, Sequence[Feeds]] = {}
        calibrated = None
        if plan.is_calibrated:
            feeds = record_calibration(networks, calibration, steps=steps, seed=seed + 1, on_progress=say)
            calibrated = Calibration(source=calibration_source, people=len(calibration), steps=steps, seed=seed + 1)
        artifacts: dict[str, Artifact] = {}
        for row, precisions_of_row in plan.by_format.items():
            artifacts |= _write_artifacts(
                networks, row, precisions_of_row, folder, feeds, options or ExportOptions(), say
            )
        write_scheduler(config, folder / "scheduler")
        manifest = manifest_of(networks, tensors, artifacts, checkpoint, calibrated, folder)
        report = verify(Bundle(folder, manifest), min_psnr=min_psnr, on_progress=say)
        _stop_unless_passed(report)
        measured = {row.artifact: _with_figures(artifacts[row.artifact], row) for row in report.artifacts}
        write_manifest(folder, manifest.model_copy(update={"artifacts": measured}))
    return Bundle.open(plan.output, check=False)


def _ship_weights(networks: Networks, folder: Path) -> Networks:
    """Save the weights and load them back, so that everything after is made from what is shipped.

    float16 where that loses nothing, as with weights that came in float16; else float32.
    """
    import torch
    from safetensors import SafetensorError

    modules = (networks.autoencoder, networks.unet, networks.image_encoder)
    weights = (weight for module in modules if module is not None for weight in module.state_dict().values())
    lossless = all(torch.equal(w, w.half().to(w.dtype)) for w in weights if w.is_floating_point())
    paths = (folder / "autoencoder.safetensors", folder / "unet.safetensors")
    try:
        save_networks(networks, *paths, dtype=torch.float16 if lossless else torch.float32)
    except SafetensorError as error:  # how safetensors reports a full disk
        raise UserError(f"cannot write the weights ({error}): free some space, or choose another output") from error
    return load_networks(networks.config, *paths)


def _record_golden(
    networks: Networks,
    tensors: dict[str, ComponentTensors],
    inputs: TryOnInputs,
    folder: Path,
    steps: int,
    seed: int,
) -> None:
    config = networks.config
    runtime = TorchRuntime(wrapped(networks), tensors)
    trajectory = record_trajectory(
        runtime,
        inputs,
        schedule=config.schedule,
        latent_scale=networks.latent_scale,
        told=config.unet.told,
        method=config.default_sampler,
        steps=steps,
        seed=seed,
    )
    save_trajectory(trajectory, folder / GOLDEN_PATH)


def _write_artifacts(
    networks: Networks,
    row: Format,
    precisions: Sequence[str],
    folder: Path,
    feeds: Mapping[str, Sequence[Feeds]],
    options: ExportOptions,
    say: Callable[[str], None],
) -> dict[str, Artifact]:
    """Every precision of one format, component by component, so that each network is traced once."""
    exporter, reader = load_attribute(row.exporter), load_attribute(row.reader)
    components: dict[str, dict[str, ComponentFiles]] = {precision: {} for precision in precisions}
    for component, spec in components_of(networks.config).items():
        say(f"{row.name} {component}")
        paths: dict[str, Path] = exporter(
            spec.wrap(networks),
            spec,
            networks.config,
            {precision: folder / f"{row.name}-{precision}" / component for precision in precisions},
            latent_scale=networks.latent_scale,
            calibration=feeds.get(component, ()),
            **options.of(row.name),
        )
        for precision, path in paths.items():
            model = path.relative_to(folder).as_posix()
            components[precision][component] = ComponentFiles(model=model, precision_found=reader(path))
    for precision in precisions:
        if row.layout is not None:
            load_attribute(row.layout)(networks, folder / f"{row.name}-{precision}")
    return {
        f"{row.name}-{precision}": Artifact(
            format=row.name, precision=precision, components=files, options=options.told(row.name)
        )
        for precision, files in components.items()
    }


def _stop_unless_passed(report: Report) -> None:
    for artifact in report.artifacts:
        if not artifact:
            reason = artifact.skipped or artifact.failures[0]
            more = f" (and {len(artifact.failures) - 1} more)" if len(artifact.failures) > 1 else ""
            raise VerificationError(
                f"{artifact.artifact} failed verification: {reason}{more}; nothing was written", report
            )


def _with_figures(artifact: Artifact, report: ArtifactReport) -> Artifact:
    components = {}
    for name, files in artifact.components.items():
        calls = [call for call in report.calls if call.component == name]
        parity = Parity(
            psnr_db=min(call.psnr_db for call in calls),
            cosine=min(call.cosine for call in calls),
            max_abs=max(call.max_abs for call in calls),
        )
        components[name] = files.model_copy(update={"parity": parity})
    return artifact.model_copy(update={"components": components, "picture_psnr_db": report.picture_psnr_db})
