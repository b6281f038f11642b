"""`lite-vton verify`: a bundle against its golden trajectory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lite_vton.cli.next_steps import benchmark_command
from lite_vton.cli.options.exporting import Artifacts, MinPsnr
from lite_vton.cli.options.models import BundlePath
from lite_vton.cli.options.output import Json
from lite_vton.cli.screen import Watch, print_json
from lite_vton.errors import UserError
from lite_vton.messages.choices import several_of
from lite_vton.workflows.progress import stages

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle
    from lite_vton_export.verify.run import Report

__all__ = ["verify"]


def verify(
    path: BundlePath,
    artifacts: Artifacts = None,
    min_psnr: MinPsnr = None,
    as_json: Json = False,
) -> None:
    """Hold a bundle against torch float32.

    Runs every exported network on the recorded inputs of every step. Exit 0 passed, 1 failed, 2 could not run.
    """
    from lite_vton.bundle import Bundle
    from lite_vton_export.verify.run import verify as check

    watch = Watch()
    bundle = Bundle.open(path)
    present = (*bundle.manifest.artifacts, *bundle.manifest.fused)
    chosen = None if artifacts is None else several_of("artifact", artifacts, present)
    with stages(f"verifying {path}") as say:
        report = check(bundle, artifacts=chosen, min_psnr=min_psnr, write=False, on_progress=say)
    written = _written(path, bundle, report)
    if as_json:
        print_json(report.to_json())
    else:
        print(report)
        watch.wrote(written, benchmark_command(path) if report else None)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _written(path: Path, bundle: Bundle, report: Report) -> list[Path]:
    """The report's file, if it could be written; the verdict counts without."""
    from lite_vton_export.verify.file import VERIFY_FILE, write_verdicts

    if not path.is_dir():  # of a zip, it would land in the temporary copy
        return []
    try:
        return [path / VERIFY_FILE] if write_verdicts(bundle, report) else []
    except UserError as error:
        print(f"the report is not written: {error}", file=sys.stderr)
        return []
