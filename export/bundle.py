"""Networks to a finished bundle: write, verify, and only then rename into place."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from export.formats import Format, load_attribute, require
from export.gates import GATES
from export.golden import GOLDEN_PATH, record_trajectory, save_trajectory
from export.verify import ArtifactReport, Report, VerificationError, verify
from lite_vton.bundle import (
    Artifact,
    Bundle,
    ComponentFiles,
    ComponentTensors,
    Manifest,
    Parity,
    ScheduleNumbers,
    Source,
    Tolerance,
    record_files,
    unet_channels,
    write_bundle,
    write_manifest,
)
from lite_vton.errors import UserError
from lite_vton.inputs import TryOnInputs
from lite_vton.model.components import component_tensors, components_of, wrapped
from lite_vton.model.networks import Networks, load_networks, save_networks
from lite_vton.presets import ModelConfig
from runtimes.schedule import alpha_bar, timesteps
from runtimes.torch_runtime import TorchRuntime

__all__ = ["Plan", "export_bundle", "plan_export"]

_TOOLS = (
    "lite-vton",
    "torch",
    "diffusers",
    "transformers",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "numpy",
    "safetensors",
)
_WEIGHTS = "weights"


@dataclass(frozen=True)
class Plan:
    """What an export would write: artifact folders, and the component files in each, relative to `output`."""

    output: Path
    artifacts: tuple[tuple[Format, str], ...]
    components: tuple[str, ...]

    def __str__(self) -> str:
        files = (f"  {folder}" for folder in self.folders)
        return "\n".join((f"{self.output}", f"  {_WEIGHTS}", "  golden", *files))

    @property
    def by_format(self) -> dict[Format, tuple[str, ...]]:
        """The precisions of each format, in the order asked for."""
        rows = dict.fromkeys(row for row, _ in self.artifacts)
        return {row: tuple(precision for other, precision in self.artifacts if other is row) for row in rows}

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
    checkpoint: str = "random weights",
    min_psnr: float | None = None,
    overwrite: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Write `output`, a folder or a `.zip`, with one artifact per format and precision, and open it.

    `inputs` are what the golden trajectory is recorded on, in `steps` steps (default: the model's own) from
    noise `seed`. `checkpoint` names where the weights came from. `on_progress` is told each stage in words.
    Raises `VerificationError` if an artifact misses its gate, `UserError` for what was asked wrongly or a full disk;
    then nothing is written, and an existing bundle stays as it was.
    """
    config = networks.config
    plan = plan_export(config, output, formats, precisions)
    say = on_progress or (lambda _stage: None)
    with write_bundle(plan.output, overwrite) as folder:
        say("weights")
        networks = _ship_weights(networks, folder / _WEIGHTS)
        tensors = component_tensors(config)
        say("golden trajectory")
        _record_golden(networks, tensors, inputs, folder, steps or config.default_steps, seed)
        artifacts: dict[str, Artifact] = {}
        for row, precisions_of_row in plan.by_format.items():
            artifacts |= _write_artifacts(networks, row, precisions_of_row, folder, say)
        manifest = _manifest(networks, tensors, artifacts, checkpoint, folder)
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
    networks: Networks, row: Format, precisions: Sequence[str], folder: Path, say: Callable[[str], None]
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
        )
        for precision, path in paths.items():
            model = path.relative_to(folder).as_posix()
            components[precision][component] = ComponentFiles(model=model, precision_found=reader(path))
    for precision in precisions:
        if row.layout is not None:
            load_attribute(row.layout)(networks, folder / f"{row.name}-{precision}")
    return {
        f"{row.name}-{precision}": Artifact(format=row.name, precision=precision, components=files)
        for precision, files in components.items()
    }


def _manifest(
    networks: Networks,
    tensors: dict[str, ComponentTensors],
    artifacts: dict[str, Artifact],
    checkpoint: str,
    folder: Path,
) -> Manifest:
    from export.diffusers_layout import write_scheduler

    config = networks.config
    write_scheduler(config, folder / "scheduler")
    return Manifest(
        model=config,
        source=Source(checkpoint=checkpoint, sha256=_weights_sha256(folder / _WEIGHTS)),
        tools={"python": platform.python_version(), **_versions()},
        height=config.height,
        width=config.width,
        latent_scale=networks.latent_scale,
        default_steps=config.default_steps,
        default_sampler=config.default_sampler,
        unet_channels=unet_channels(config),
        schedule=_schedule(config),
        components=tensors,
        artifacts=artifacts,
        weights=_WEIGHTS,
        golden=GOLDEN_PATH,
        gates={precision: Tolerance(**asdict(limits)) for precision, limits in GATES.items()},
        files=record_files(folder),
    )


def _schedule(config: ModelConfig) -> ScheduleNumbers:
    schedule = config.schedule
    return ScheduleNumbers(
        num_train_timesteps=schedule.num_train_timesteps,
        beta_start=schedule.beta_start,
        beta_end=schedule.beta_end,
        timesteps=tuple(timesteps(schedule, config.default_steps).tolist()),
        alphas_cumprod=tuple(alpha_bar(schedule).tolist()),
    )


def _weights_sha256(folder: Path) -> str:
    """Over the bytes of the weight files, one after another in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for package in _TOOLS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


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
