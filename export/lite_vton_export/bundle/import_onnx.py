"""A bundle of ONNX files that somebody else exported, in the folders and under the names of Optimum.

There is no torch network behind them, so nothing but themselves to hold them against: the golden trajectory is what
ONNX Runtime computes of these very files in float32, and the manifest says so (`golden_reference`). It shows that
another backend or a later version computes the same; whether the files are what their author trained it cannot show.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lite_vton.bundle import (
    Artifact,
    Bundle,
    ComponentFiles,
    check_beside,
    compact_metadata,
    is_inside,
    record_files,
    settings_in,
    write_bundle,
    write_manifest,
)
from lite_vton.errors import UserError
from lite_vton.model.components import component_tensors
from lite_vton.model.importing.noise_settings import check_noise
from lite_vton.presets.config import AutoencoderConfig, AutoencoderKLConfig, ModelConfig, UNetConfig
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.manifest.describe import manifest_of
from lite_vton_export.onnx.layout import write_scheduler
from lite_vton_export.onnx.ports import with_our_ports
from lite_vton_export.onnx.precision import found_precision
from lite_vton_export.parity.golden import GOLDEN_PATH, record_trajectory, save_trajectory
from lite_vton_export.verify.run import VerificationError, verify
from lite_vton_runtimes.onnxruntime.runtime import OnnxRuntime

if TYPE_CHECKING:
    import onnx

__all__ = ["REFERENCE", "config_of_folder", "import_onnx", "is_onnx_folder"]

REFERENCE = "onnxruntime-fp32"
"""What the golden trajectory of such a bundle was recorded on."""

_ARTIFACT = "onnx-fp32"


def is_onnx_folder(folder: Path) -> bool:
    """Whether somebody's ONNX pipeline lies there, and not the weights of one."""
    return (folder / "unet/model.onnx").is_file()


def config_of_folder(folder: Path, model: ModelConfig) -> tuple[ModelConfig, float]:
    """The folder's model, and its latent scale: picture size, conditions and sampling are those of the preset `model`.

    What the folder's own settings say of its networks goes into it. Raises `UserError` for parts that no try-on of ours
    has, and for noise that is not the preset's.
    """
    # A text encoder and its tokenizer may lie beside a U-Net that reads none of their tokens; one that does is refused.
    if (folder / "transformer").is_dir():
        raise UserError(f"{folder} has a transformer: this network is another kind, which no preset is built as")
    for name in model.components:
        if not (folder / name / "model.onnx").is_file():
            raise UserError(f"{folder} has no {name}/model.onnx, which {model.name} needs: copy the whole folder")
    scheduler = folder / "scheduler/scheduler_config.json"
    check_noise(_settings(scheduler), scheduler, model.schedule)
    autoencoder = _settings(folder / "vae_encoder/config.json")
    found = replace(
        model,
        name=folder.resolve().name,
        description=f"imported from ONNX files, as {model.name}",
        autoencoder=_autoencoder(autoencoder, folder, model),
        unet=_unet(_settings(folder / "unet/config.json"), folder, model.unet),
        shipped_weights=None,
        teacher=None,
        encoder_batch=1,  # what any of them takes; some have it fixed
    )
    scale = autoencoder.get("scaling_factor", model.autoencoder.latent_scale)
    if not isinstance(scale, int | float) or not 0 < scale < float("inf"):
        raise UserError(f"{folder}/vae_encoder/config.json has scaling_factor {scale!r}: copy it again")
    return found, float(scale)


def _autoencoder(said: dict[str, Any], folder: Path, model: ModelConfig) -> AutoencoderConfig:
    shape = model.autoencoder
    channels = said.get("latent_channels", shape.latent_channels)
    if channels != shape.latent_channels:
        raise UserError(
            f"{folder} has latents of {channels} channels, {model.name} of {shape.latent_channels}: "
            "choose another preset"
        )
    if not isinstance(shape, AutoencoderKLConfig) or "block_out_channels" not in said:
        return shape
    widths = _whole(said, "block_out_channels", folder / "vae_encoder")
    (layers,) = _whole(
        {"layers_per_block": [said.get("layers_per_block", 1)]}, "layers_per_block", folder / "vae_encoder"
    )
    shape = replace(shape, channels=widths, layers_per_block=layers)
    if shape.downscale != model.autoencoder.downscale:
        raise UserError(
            f"{folder} makes pictures {shape.downscale} times smaller, {model.name} "
            f"{model.autoencoder.downscale} times: choose another preset"
        )
    return shape


def _unet(said: dict[str, Any], folder: Path, ours: UNetConfig) -> UNetConfig:
    network = replace(ours, residual_deviation=None)
    if "block_out_channels" not in said:
        return network
    widths = _whole(said, "block_out_channels", folder / "unet")
    layers = said.get("layers_per_block", 2)
    depths = {"layers_per_block": layers if isinstance(layers, list) else [layers] * len(widths)}
    kinds = said.get("down_block_types", ["DownBlock2D"] * len(widths))
    return replace(
        network,
        channels=widths,
        layers_per_block=_whole(depths, "layers_per_block", folder / "unet"),
        attention=tuple("Attn" in str(kind) for kind in kinds) if isinstance(kinds, list) else network.attention,
        mid_block=said.get("mid_block_type", "UNetMidBlock2D") is not None,
    )


def _whole(said: dict[str, Any], name: str, part: Path) -> tuple[int, ...]:
    """A list of positive whole numbers."""
    value = said[name]
    if not isinstance(value, list) or not value or not all(type(v) is int and 0 < v < 1 << 20 for v in value):
        raise UserError(f"{part}/config.json has {name} {str(value)[:60]}, which is no network's: copy it again")
    return tuple(value)


def import_onnx(
    folder: Path,
    model: ModelConfig,
    inputs: TryOnInputs,
    output: Path,
    *,
    steps: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Write `output` with the ONNX files of `folder` as its `onnx-fp32`, and a trajectory that they recorded.

    Batch and picture are fixed to the preset's, and tensors put as ours are (`lite_vton_export.onnx.ports`). `inputs`
    are what the trajectory is recorded on. Raises `UserError` for files that are not float32, or take or give something
    else.
    """
    import onnx

    say = on_progress or (lambda _stage: None)
    config, latent_scale = config_of_folder(folder, model)
    tensors = component_tensors(config)
    with write_bundle(output, overwrite) as target:
        files = {}
        for name in config.components:
            say(name)
            check_beside(folder / name / "model.onnx")
            found = found_precision(folder / name / "model.onnx")
            if found != "fp32":
                raise UserError(f"{folder / name}/model.onnx is in {found}: export it in float32")
            graph = with_our_ports(_loaded(folder / name / "model.onnx"), name, tensors[name])
            about = compact_metadata(config, component=name, precision="fp32", latent_scale=latent_scale)
            onnx.helper.set_model_props(graph, {f"lite_vton.{key}": value for key, value in about.items()})
            path = target / _ARTIFACT / name / "model.onnx"
            _save(graph, path)
            files[name] = ComponentFiles(model=path.relative_to(target).as_posix(), precision_found=found)
        for settings in folder.rglob("*.json"):
            if not is_inside(folder, settings):
                raise UserError(f"{settings} is a link out of the folder: copy the file in its place")
            copied = target / _ARTIFACT / settings.relative_to(folder)
            if copied.parent.is_dir() or settings.parent.name == "scheduler":
                copied.parent.mkdir(exist_ok=True)
                shutil.copyfile(settings, copied)
        write_scheduler(config, target / "scheduler")
        artifacts = {_ARTIFACT: Artifact(format="onnx", precision="fp32", components=files)}
        manifest = manifest_of(
            config,
            latent_scale,
            tensors,
            artifacts,
            f"ONNX files of {folder.resolve().name}",
            None,
            target,
            weights=None,
            reference=REFERENCE,
        )
        say("golden trajectory")
        runtime = OnnxRuntime(Bundle(target, manifest))
        golden = record_trajectory(runtime, inputs, config, latent_scale, steps=steps, seed=seed)
        runtime.close()
        save_trajectory(golden, target / GOLDEN_PATH)
        finished = manifest.model_copy(update={"files": record_files(target)})
        report = verify(Bundle(target, finished), on_progress=say)
        if not report:
            raise VerificationError(f"{folder} does not answer twice alike ({report}); nothing was written", report)
        write_manifest(target, finished)
    return Bundle.open(output, check=False)


def _loaded(path: Path) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types

    try:
        return onnx.load(path)
    except (DecodeError, OSError, onnx.checker.ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read with its weights ({reason}): copy the whole folder again") from error


def _save(graph: onnx.ModelProto, path: Path) -> None:
    from lite_vton_export.onnx.file import save_onnx

    path.parent.mkdir(parents=True)
    save_onnx(graph, path)


def _settings(path: Path) -> dict[str, Any]:
    """A component's `config.json`; empty where there is none."""
    return settings_in(path, "copy it again") if path.is_file() else {}
