"""From a model's name to a verified bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lite_vton.atomic import is_vacant
from lite_vton.data.held_out import held_out_pairs
from lite_vton.errors import UserError
from lite_vton.workflows.progress import stages
from lite_vton.workflows.weights import config_of, is_bundle, load_model
from lite_vton_export.options import CoreMLOptions, ExportOptions

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle
    from lite_vton.presets.config import ModelConfig
    from lite_vton.tryon.inputs import TryOnInputs
    from lite_vton_export.bundle.plan import Plan
    from lite_vton_export.options import ExportOptions

__all__ = ["export_model", "export_options", "figures_of", "plan", "target_of", "tile_of"]


def plan(
    model: str,
    output: Path,
    formats: Sequence[str],
    precisions: Sequence[str],
    autoencoder: str | None = None,
    fused: bool = False,
) -> Plan:
    """What an export would write and leave out; a `UserError` for what it would refuse."""
    from lite_vton_export.bundle.plan import plan_export

    bundle = _bundle_at(model, check=False)
    if bundle is None:
        return plan_export(config_of(model, autoencoder), output, formats, precisions, fused=fused)
    if autoencoder is not None:
        raise UserError(f"{model} is a bundle and has its autoencoder: leave out --autoencoder")
    weights = bundle.manifest.weights is not None
    return plan_export(bundle.manifest.model, output, formats, precisions, weights=weights, fused=fused)


def target_of(model: str, output: Path | None, overwrite: bool) -> Path:
    """Where to write: `output`, or the very bundle that formats are added to, if it may be overwritten."""
    if output is not None:
        return output
    if _bundle_at(model, check=False) is None:
        raise UserError(f"say with --output where the bundle of {model} goes")
    if not overwrite:
        raise UserError(f"{model} is a bundle: name another with --output, or add to it with --overwrite")
    return Path(model)


def _bundle_at(model: str, check: bool) -> Bundle | None:
    """The bundle that `model` names; None if it names a preset or a run."""
    from lite_vton.bundle import Bundle

    return Bundle.open(Path(model), check=check) if is_bundle(model) else None


def export_options(formats: Sequence[str], coreml: Mapping[str, str | None]) -> ExportOptions:
    """What single formats are told; `coreml` are the fields of `CoreMLOptions` by name, None where nothing was said.

    A `UserError` for words that nothing asked for would listen to, or that are unknown.
    """
    said = {name: value for name, value in coreml.items() if value is not None}
    if said and not {"coreml", "all"} & set(formats):
        raise UserError("--coreml-target, --compute-units and --attention are Core ML's: add --format coreml")
    return ExportOptions(coreml=CoreMLOptions(**said))


def export_model(
    model: str,
    output: Path,
    formats: Sequence[str],
    precisions: Sequence[str],
    *,
    autoencoder: str | None = None,
    decoder_tile: str | None = None,
    fused: bool = False,
    steps: int | None = None,
    seed: int = 0,
    min_psnr: float | None = None,
    calibration: Path | None = None,
    options: ExportOptions | None = None,
    overwrite: bool = False,
    keep_going: bool = False,
) -> tuple[Bundle, str, list[str]]:
    """Export and verify, the golden trajectory being recorded on one held-out drawn pair, or be it that of a bundle.

    Returns the bundle, its report, and a line for each artifact that failed and was left out, which only `keep_going`
    lets happen. What has to be calibrated is calibrated on pairs of the dataset `calibration`, or else on other
    held-out drawn ones. `autoencoder` as for `lite_vton.workflows.weights.load_model`,
    `decoder_tile` as for `tile_of`.
    Raises `lite_vton_export.verify.run.VerificationError` when a file misses its gate; then nothing is written.
    """
    # Refuse what is wrong before anything slow, importing torch included.
    from lite_vton_export.bundle.plan import DEFAULT_PEOPLE
    from lite_vton_export.fused.tensors import check_fusable
    from lite_vton_runtimes.sampling.schedule import timesteps

    needed = DEFAULT_PEOPLE if plan(model, output, formats, precisions, autoencoder, fused).is_calibrated else 0
    if calibration is not None and not needed:
        raise UserError("nothing asked for is calibrated: add --precision int8, or leave --calibration out")
    if output.exists() and not overwrite and not (output.is_dir() and is_vacant(output)):
        raise UserError(f"{output} exists: choose another output or pass --overwrite")
    failures: list[str] = []

    def failed(artifact: str, reason: str) -> None:
        failures.append(f"{artifact}: {reason}")

    existing = _bundle_at(model, check=True)
    if existing is not None and decoder_tile is not None:
        raise UserError(f"{model} has its decoder already: leave --decoder-tile out")
    if existing is not None and (steps is not None or seed != 0):
        raise UserError(f"{model} has its golden trajectory already: leave --steps and --seed out")
    with stages(f"exporting {model}") as say:
        config = existing.manifest.model if existing is not None else config_of(model, autoencoder)
        tile = None if decoder_tile is None else tile_of(decoder_tile, config)
        if fused:
            check_fusable(replace(config, decoder_tile=tile or config.decoder_tile))
        if steps is not None:
            timesteps(config.schedule, steps)  # refuses a count that sampling would refuse later
        people, source = ((), "") if calibration is None else _people_of(calibration, config, needed)
        say("drawing pairs" if needed and not people else "drawing a pair")
        count = 1 if people else 1 + needed
        with held_out_pairs(count, config.height, config.width, mask=config.mask) as samples:
            inputs = samples[0].inputs
            if count > 1:
                people, source = tuple(sample.inputs for sample in samples[1:]), "held-out drawn pairs"
        more: dict[str, Any] = {
            "calibration": people,
            "calibration_source": source,
            "options": options,
            "fused": fused,
            "min_psnr": min_psnr,
            "overwrite": overwrite,
            "failed": failed if keep_going else None,
            "on_progress": say,
        }
        from lite_vton_export.bundle.export import export_bundle, extend_bundle

        asked = (output, formats, precisions)
        if existing is not None:
            bundle = extend_bundle(existing, *asked, **more)
        else:
            trained = load_model(model, autoencoder)
            networks = replace(trained.networks, config=replace(trained.networks.config, decoder_tile=tile))
            more |= {"steps": steps, "seed": seed, "checkpoint": trained.origin}
            bundle = export_bundle(networks, inputs, *asked, **more)
    return bundle, "\n".join(figures_of(bundle)), failures


def tile_of(words: str, config: ModelConfig) -> tuple[int, int] | None:
    """`"256,192"`, pixels, as latent positions (h, w); None where that is the whole picture.

    `UserError` for what is no size, no multiple of a latent position, larger than the picture, or all overlap.
    """
    from lite_vton_runtimes.sampling.tiles import OVERLAP

    scale = config.autoencoder.downscale
    try:
        height, width = (int(word) for word in words.split(","))
    except ValueError:
        raise UserError(f"no tile in {words!r}: write height and width in pixels, such as 256,192") from None
    for side, whole in ((height, config.height), (width, config.width)):
        if side % scale or not (OVERLAP * scale < side <= whole or side == whole):
            raise UserError(
                f"a tile of {height}x{width} does not do for {config.height}x{config.width}: "
                f"choose multiples of {scale} above {OVERLAP * scale}"
            )
    return None if (height, width) == (config.height, config.width) else (height // scale, width // scale)


def _people_of(folder: Path, config: ModelConfig, count: int) -> tuple[tuple[TryOnInputs, ...], str]:
    """The first people of a dataset in their own garments, and what the manifest calls it.

    Of its training split where it has one, so that nobody is calibrated on whom the model is judged on.
    """
    from lite_vton.data.opening import open_pairs
    from lite_vton.data.sample import Split

    lists = ("train_pairs.txt", "*/train_pairs.txt")  # VITON-HD's place and DressCode's
    split: Split = "train" if any(any(folder.glob(name)) for name in lists) else "test"
    pairs = open_pairs(folder, split, True, config.height, config.width, mask=config.mask).first(count)
    return tuple(sample.inputs for sample in pairs), f"{split} pairs of {folder.resolve().name}"


def figures_of(bundle: Bundle) -> list[str]:
    """A line for each artifact of a bundle: how close it came when it was made, or why there is no figure."""
    lines = []
    for name, artifact in bundle.manifest.artifacts.items():
        parity = {key: files.parity for key, files in artifact.components.items()}
        figures = [f"{key} {found.psnr_db:.1f} dB" for key, found in parity.items() if found is not None]
        if artifact.picture_psnr_db is not None:
            figures.append(f"picture {artifact.picture_psnr_db:.1f} dB")
        if figures:
            lines.append(f"passed   {name}: {', '.join(figures)}")
        elif bundle.manifest.is_reference(name):
            lines.append(f"reference  {name}: the others are compared with what these files answered")
        else:
            lines.append(f"read back, not run  {name}: verify.json says why, and what was compared")
    for name, whole in bundle.manifest.fused.items():
        if whole.parity is None:
            lines.append(f"not run  {name}: verify.json says why")
        else:
            lines.append(
                f"passed   {name}: decoded {whole.parity.psnr_db:.1f} dB, picture {whole.picture_psnr_db:.1f} dB"
            )
    for component, kept in bundle.manifest.kept_in_float32.items():
        if kept.nodes:
            first, reason = next(iter(kept.nodes.items()))
            lines.append(f"kept in float32 at fp16: {len(kept.nodes)} nodes of {component}, {first} first ({reason})")
    return lines
