"""From a model's name to a verified bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.cli.screen import stages
from lite_vton.cli.weights import config_of, load_model
from lite_vton.data.held_out import held_out_pairs
from lite_vton.errors import UserError

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle

__all__ = ["export_model", "plan"]


def plan(model: str, output: Path, formats: Sequence[str], precisions: Sequence[str]) -> str:
    """What an export would write; a `UserError` for what it would refuse."""
    from export.bundle import plan_export

    return str(plan_export(config_of(model), output, formats, precisions))


def export_model(
    model: str,
    output: Path,
    formats: Sequence[str],
    precisions: Sequence[str],
    *,
    steps: int | None = None,
    seed: int = 0,
    min_psnr: float | None = None,
    overwrite: bool = False,
) -> tuple[Bundle, str]:
    """Export and verify, the golden trajectory being recorded on one held-out drawn pair; the bundle, and its report.

    Raises `export.verify.VerificationError` when a file misses its gate; then nothing is written.
    """
    from export.bundle import export_bundle
    from runtimes.schedule import timesteps

    plan(model, output, formats, precisions)  # refuse what is wrong before anything slow
    if output.exists() and not overwrite and not (output.is_dir() and not any(output.iterdir())):
        raise UserError(f"{output} exists: choose another output or pass --overwrite")
    with stages(f"exporting {model}") as say:
        say("weights")
        trained = load_model(model)
        config = trained.networks.config
        if steps is not None:
            timesteps(config.schedule, steps)  # refuses a count that sampling would refuse later
        say("drawing a pair")
        with held_out_pairs(1, config.height, config.width, mask=config.mask) as samples:
            inputs = samples[0].inputs
        bundle = export_bundle(
            trained.networks,
            inputs,
            output,
            formats,
            precisions,
            steps=steps,
            seed=seed,
            checkpoint=trained.origin,
            min_psnr=min_psnr,
            overwrite=overwrite,
            on_progress=say,
        )
    return bundle, "\n".join(_figures(bundle))


def _figures(bundle: Bundle) -> list[str]:
    lines = []
    for name, artifact in bundle.manifest.artifacts.items():
        parity = {key: files.parity for key, files in artifact.components.items()}
        figures = [f"{key} {found.psnr_db:.1f} dB" for key, found in parity.items() if found is not None]
        if artifact.picture_psnr_db is not None:
            figures.append(f"picture {artifact.picture_psnr_db:.1f} dB")
        lines.append(f"passed   {name}: {', '.join(figures)}")
    return lines
