"""`lite-vton verify`: a bundle against its golden trajectory."""

from __future__ import annotations

from typing import Annotated

import typer

from lite_vton.cli.options import BundlePath, Json, MinPsnr

__all__ = ["verify"]


def verify(
    path: BundlePath,
    artifacts: Annotated[
        str | None, typer.Option("--artifact", help="Only these, comma-separated, such as onnx-fp16.")
    ] = None,
    min_psnr: MinPsnr = None,
    as_json: Json = False,
) -> None:
    """Hold a bundle against torch float32.

    Runs every exported network on the recorded inputs of every step. Exit 0 passed, 1 failed, 2 could not run.
    """
    from export.verify import verify as check
    from lite_vton.bundle import Bundle
    from lite_vton.choices import several_of
    from lite_vton.cli.next_steps import benchmark_command
    from lite_vton.cli.screen import Watch, print_json, stages

    watch = Watch()
    bundle = Bundle.open(path)
    present = (*bundle.manifest.artifacts, *bundle.manifest.fused)
    chosen = None if artifacts is None else several_of("artifact", artifacts, present)
    with stages(f"verifying {path}") as say:
        # Of a zip, a report would land in the temporary copy.
        report = check(bundle, artifacts=chosen, min_psnr=min_psnr, write=path.is_dir(), on_progress=say)
    if as_json:
        print_json(report.to_json())
    else:
        print(report)
        wrote = [path / "verify.json"] if path.is_dir() else []
        watch.wrote(wrote, benchmark_command(path) if report else None)
    if report.exit_code:
        raise typer.Exit(report.exit_code)
