"""The end of an export: what is kept of an earlier bundle, what passed, manifest and report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lite_vton.bundle import Artifact, Bundle, FusedArtifact, Manifest, write_manifest
from lite_vton_export.bundle.artifacts import Failed
from lite_vton_export.verify.file import VERIFY_FILE, read_rows, write_rows
from lite_vton_export.verify.fused import fused_with_figures
from lite_vton_export.verify.regression import figures_of
from lite_vton_export.verify.run import ArtifactReport, Report, VerificationError, verify
from lite_vton_runtimes.memory import return_to_the_system

__all__ = ["finish", "take_over"]


def take_over(bundle: Bundle, folder: Path, without: Iterable[str], *, link: bool) -> None:
    """Every listed file of `bundle` but those of the artifacts `without`, and what was measured of the others.

    `link` where the bundle is to be replaced: nothing is copied that is there already.
    """
    for relative in bundle.manifest.files:
        if relative.partition("/")[0] in without:
            continue
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not link:
                raise OSError
            os.link(bundle.path(relative), target)
        except OSError:  # or another file system
            shutil.copyfile(bundle.path(relative), target)
    if (bundle.root / VERIFY_FILE).is_file():
        write_rows(folder, [row for row in read_rows(bundle.root) if row["artifact"] not in without])


def finish(
    folder: Path,
    manifest: Manifest,
    artifacts: Mapping[str, Artifact],
    fused: Mapping[str, FusedArtifact],
    min_psnr: float | None,
    failed: Failed | None,
    say: Callable[[str], None],
) -> None:
    """Verify what is new, leave out or raise for what does not pass, and write manifest and report."""
    return_to_the_system()
    report = verify(
        Bundle(folder, manifest), artifacts=[*artifacts, *fused], min_psnr=min_psnr, write=False, on_progress=say
    )
    if report.manifest:
        raise VerificationError(f"{report.manifest[0]}; nothing was written", report)
    if failed is None:
        _stop_unless_passed(report)
    gone = tuple(f"{row.artifact}/" for row in report.artifacts if not _stays(row))
    stay = {row.artifact: row for row in report.artifacts if _stays(row)}
    passed = {name: _with_figures(artifacts[name], row) for name, row in stay.items() if name in artifacts}
    whole = {name: fused_with_figures(fused[name], row) for name, row in stay.items() if name in fused}
    for row in report.artifacts:
        if not _stays(row) and failed is not None:
            failed(row.artifact, _reason(row))
            shutil.rmtree(folder / row.artifact)
    if not stay:
        why = "; ".join(f"{row.artifact}: {_reason(row)}" for row in report.artifacts)
        raise VerificationError(f"no artifact passed; nothing was written ({why})", report)
    others = {name: artifact for name, artifact in manifest.artifacts.items() if name not in artifacts}
    files = {name: record for name, record in manifest.files.items() if not name.startswith(gone)}
    others_fused = {name: one for name, one in manifest.fused.items() if name not in fused}
    written = {"artifacts": others | passed, "fused": others_fused | whole, "files": files}
    kept = Report(tuple(row for row in report.artifacts if _stays(row)))
    write_rows(folder, [*read_rows(folder), *kept.to_json()["artifacts"]])
    write_manifest(folder, manifest.model_copy(update=written))


def _stays(row: ArtifactReport) -> bool:
    """Whether an artifact may be in the bundle: it passed, or could not be run here and was read back without fault."""
    return bool(row) or (not row.failures and bool(row.read_back))


def _stop_unless_passed(report: Report) -> None:
    for artifact in report.artifacts:
        if not _stays(artifact):
            more = f" (and {len(artifact.failures) - 1} more)" if len(artifact.failures) > 1 else ""
            raise VerificationError(
                f"{artifact.artifact} failed verification: {_reason(artifact)}{more}; nothing was written", report
            )


def _reason(row: ArtifactReport) -> str:
    return row.failures[0] if row.failures else str(row.skipped)


def _with_figures(artifact: Artifact, report: ArtifactReport) -> Artifact:
    components = {}
    for name, files in artifact.components.items():
        calls = [call for call in report.calls if call.component == name]
        if not calls:  # read back, not run
            components[name] = files
            continue
        components[name] = files.model_copy(update={"parity": figures_of(calls)})
    return artifact.model_copy(update={"components": components, "picture_psnr_db": report.picture_psnr_db})
