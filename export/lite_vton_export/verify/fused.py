"""One fused artifact against the golden trajectory: its precision, its picture, and whether it answers as at export."""

from __future__ import annotations

from dataclasses import asdict

from lite_vton.bundle import Bundle, FusedArtifact
from lite_vton.errors import UserError
from lite_vton_export.formats import known_format, load_attribute
from lite_vton_export.manifest.check import metadata_faults
from lite_vton_export.parity.closeness import closeness, echo, picture_psnr
from lite_vton_export.parity.gates import Gate, gate
from lite_vton_export.parity.golden import Trajectory
from lite_vton_export.parity.machine import machine, tool_versions
from lite_vton_export.precision.shares import Shares, too_little
from lite_vton_export.verify.regression import figures_of, misquoted, misquoted_picture, regressions
from lite_vton_export.verify.report import ArtifactReport, CallReport
from lite_vton_runtimes.base import NoDeviceError
from lite_vton_runtimes.fused import WHOLE, try_on_fused

__all__ = ["fused_with_figures", "verify_fused"]


def verify_fused(bundle: Bundle, name: str, golden: Trajectory, *, check_regression: bool = True) -> ArtifactReport:
    """Run the fused artifact `name` on the golden inputs and noise; its picture has to reach the final picture's gate.

    The one call of the report is `decoded`, whose figures have no gate of their own: with `check_regression` they have
    to be those of the export (`lite_vton_export.verify.regression`). What cannot run here is skipped with the reason.
    """
    fused = bundle.manifest.fused[name]
    limits = gate(fused.precision)
    found: dict[str, str] = {}
    shares: dict[str, Shares] = {}
    failures: list[str] = []
    calls: tuple[CallReport, ...] = ()
    picture: float | None = None
    try:
        row = known_format(fused.format)
    except UserError as error:
        return ArtifactReport(name, fused.precision, {}, (), None, (), skipped=str(error))
    try:
        path = bundle.path(fused.model)
        found = {WHOLE: load_attribute(row.reader)(path)}
        if found[WHOLE] != fused.precision:
            failures.append(f"{WHOLE} is {found[WHOLE]} inside, not {fused.precision}")
        elif found[WHOLE] != fused.precision_found:
            failures.append(f"{WHOLE} is said to be {fused.precision_found} inside, it is {found[WHOLE]}")
        elif row.shares is not None:
            shares = {WHOLE: load_attribute(row.shares)(path)}
            failures += too_little(WHOLE, shares[WHOLE], fused.precision)
        if row.about is not None:
            failures += metadata_faults(bundle, WHOLE, fused.precision, load_attribute(row.about)(path))
        runtime = load_attribute(row.runtime)(bundle, precision=fused.precision, fused=True)
        try:
            result = try_on_fused(runtime, golden.inputs, fused, steps=golden.steps, seed=golden.seed)
        finally:
            runtime.close()
        figures = closeness(result.decoded, golden.decoded)
        heard = echo(result.decoded, golden.decoded)
        calls = (CallReport(WHOLE, 0, "decoded", **asdict(figures), passed=not figures.nonfinite, echo=heard),)
        picture = picture_psnr(result.picture, golden.picture)
        if picture < limits.picture_psnr_db:
            failures.append(f"final picture {picture:.1f} dB, below {limits.picture_psnr_db:g} dB")
        if check_regression and not failures:
            failures += _regressions(bundle, fused, calls[0], picture, limits)
    except (ImportError, NoDeviceError) as error:
        checked: tuple[str, ...] = ()
        if row.fused_readback is not None:
            told = load_attribute(row.fused_readback)(bundle, fused.precision)
            checked, failures = told.checked, [*failures, *told.faults]
        return ArtifactReport(
            name,
            fused.precision,
            found,
            (),
            None,
            tuple(failures),
            skipped=str(error),
            shares=shares,
            read_back=checked,
        )
    except (UserError, ValueError, KeyError) as error:
        failures.append(str(error))
    return ArtifactReport(name, fused.precision, found, calls, picture, tuple(failures), shares=shares)


def fused_with_figures(fused: FusedArtifact, report: ArtifactReport) -> FusedArtifact:
    """The artifact with what its verification at export found."""
    if not report.calls:  # read back, not run
        return fused
    return fused.model_copy(update={"parity": figures_of(report.calls), "picture_psnr_db": report.picture_psnr_db})


def _regressions(bundle: Bundle, fused: FusedArtifact, call: CallReport, picture: float, limits: Gate) -> list[str]:
    if fused.parity is None:
        return []
    manifest = bundle.manifest
    same = manifest.machine == machine() and manifest.tools == tool_versions()
    found = regressions(call.psnr_db, [call.echo], fused.parity, limits, same=same, component=WHOLE)
    if same:
        found += misquoted(figures_of([call]), fused.parity, WHOLE)
        if fused.picture_psnr_db is not None:
            found += misquoted_picture(picture, fused.picture_psnr_db)
    return found
