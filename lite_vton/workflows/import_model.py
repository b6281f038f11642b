"""From somebody's checkpoint to a run's folder, or from their ONNX files to a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lite_vton.atomic import is_vacant, whole_folder
from lite_vton.data.held_out import held_out_pairs
from lite_vton.errors import UserError
from lite_vton.libraries.hub_cache import linkless
from lite_vton.messages.choices import one_of
from lite_vton.messages.commands import command
from lite_vton.presets.table import preset
from lite_vton.workflows.names import LAYOUTS
from lite_vton.workflows.progress import stages
from lite_vton.workflows.weights import run_files

__all__ = ["import_bundle", "import_run", "is_onnx", "refuse_import", "training_command"]


def refuse_import(source: Path, model: str, output: Path, layout: str | None) -> None:
    """A `UserError` for a source that is not there, an unknown name, or an output in use; torch is not imported."""
    preset(model)
    if layout is not None:
        one_of("layout", layout, LAYOUTS)
    if output.exists() and not (output.is_dir() and is_vacant(output)):
        raise UserError(f"{output} exists: choose another folder")
    if not source.exists():
        raise UserError(f"no file or folder {source}: check its name")


def is_onnx(source: Path) -> bool:
    """Whether somebody's ONNX files lie there, and not weights."""
    from lite_vton_export.bundle.import_onnx import is_onnx_folder

    return is_onnx_folder(source)


def import_bundle(source: Path, model: str, output: Path, weights_only: Mapping[str, object]) -> None:
    """A bundle of ONNX files in Optimum's layout, its golden trajectory recorded by them on one held-out drawn pair.

    `weights_only` are options that mean nothing here, by name. Raises `UserError` for any that is given, and as
    `lite_vton_export.bundle.import_onnx`.
    """
    from lite_vton_export.bundle.import_onnx import config_of_folder, import_onnx

    config = preset(model)
    for name, value in weights_only.items():
        if value is not None:
            raise UserError(f"{name} is for weights, {source} holds ONNX files: leave it out")
    with linkless(source) as folder:
        config_of_folder(folder, config)  # refuses what does not fit before anything slow
        with (
            stages(f"importing {source}") as say,
            held_out_pairs(1, config.height, config.width, mask=config.mask) as pairs,
        ):
            import_onnx(folder, config, pairs[0].inputs, output, on_progress=say)


def import_run(
    source: Path,
    model: str,
    output: Path,
    *,
    layout: str | None = None,
    autoencoder: Path | None = None,
    attention: Path | None = None,
    image_encoder: Path | None = None,
) -> tuple[list[Path], tuple[str, ...]]:
    """Import, and write the networks' files; returns them, and what became of the source's parts.

    The folder appears whole or not at all. Raises `UserError` as `lite_vton.model.importing.networks`, and for an
    output in use.
    """
    from lite_vton.model.importing.networks import import_weights

    refuse_import(source, model, output, layout)
    config = preset(model)
    with whole_folder(output, _is_a_run_that_is_kept) as draft:
        imported = import_weights(
            source, config, layout=layout, autoencoder=autoencoder, attention=attention, image_encoder=image_encoder
        )
        imported.write(*run_files(draft))
    return sorted(output.iterdir()), imported.notes


def _is_a_run_that_is_kept(_: Path) -> bool:
    """No folder with something in it is ever replaced by an import."""
    return False


def training_command(model: str, output: Path) -> str:
    """How to train an imported run on what its source was not told, with the user's own folder in place of DATA."""
    trained = output.with_name(f"{output.name}-trained")
    return command("train", model, "--start", output, "--data", "DATA", "-o", trained)
