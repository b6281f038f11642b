"""Hold every artifact of a bundle against its golden trajectory, call by call and as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

from lite_vton.bundle import Artifact, Bundle
from lite_vton.errors import UserError
from lite_vton_export.formats import Format, known_format, load_attribute
from lite_vton_export.manifest.check import manifest_faults, metadata_faults
from lite_vton_export.parity.closeness import closeness, echo, picture_psnr
from lite_vton_export.parity.gates import Gate, gate
from lite_vton_export.parity.golden import Call, Trajectory, load_trajectory
from lite_vton_export.parity.machine import machine, tool_versions
from lite_vton_export.precision.shares import Shares, too_little
from lite_vton_export.verify.file import write_verdicts
from lite_vton_export.verify.fused import verify_fused
from lite_vton_export.verify.regression import figures_of, misquoted, misquoted_picture, regressions
from lite_vton_export.verify.report import ArtifactReport, CallReport, Report, VerificationError
from lite_vton_runtimes.base import NoDeviceError, Runtime
from lite_vton_runtimes.sampling.pipeline import try_on

__all__ = ["ArtifactReport", "CallReport", "Report", "VerificationError", "verify"]


def verify(
    bundle: Bundle,
    *,
    artifacts: Iterable[str] | None = None,
    min_psnr: float | None = None,
    write: bool = True,
    on_progress: Callable[[str], None] | None = None,
) -> Report:
    """Run each artifact on its backend and compare with torch float32 as recorded in the bundle.

    Of the manifest: whether it says what the files say (`lite_vton_export.manifest.check`). Per artifact: the precision
    its files really have; each component on the golden inputs of every step; the whole sampling, whose picture is
    compared; and whether it answers as when it was exported (`lite_vton_export.verify.regression`), unless `min_psnr`
    is given. `artifacts` are folder names such as "onnx-fp16" (default all), `min_psnr` replaces the component gate in
    dB. `write` puts the verdicts into the bundle (`lite_vton_export.verify.file`).
    Raises `UserError` if that cannot be done, the bundle has no golden trajectory or no artifact of that name.
    """
    manifest = bundle.manifest
    if manifest.golden is None:
        raise UserError(f"the bundle {bundle.root} has no golden trajectory to verify against: export it again")
    present = (*manifest.artifacts, *manifest.fused)
    names = present if artifacts is None else tuple(artifacts)
    for name in names:
        if name not in present:
            raise UserError(f"no artifact {name!r} in the bundle: it has {', '.join(present) or 'none'}")
    golden = load_trajectory(bundle.path(manifest.golden))
    reports = []
    for name in names:
        if on_progress is not None:
            on_progress(f"verify {name}")
        if name in manifest.fused:
            reports.append(verify_fused(bundle, name, golden, check_regression=min_psnr is None))
        else:
            reports.append(_verify_artifact(bundle, name, manifest.artifacts[name], golden, min_psnr))
    report = Report(tuple(reports), manifest_faults(bundle, golden))
    if write:
        write_verdicts(bundle, report)
    return report


def _verify_artifact(
    bundle: Bundle, name: str, artifact: Artifact, golden: Trajectory, min_psnr: float | None
) -> ArtifactReport:
    limits = gate(artifact.precision, min_psnr)
    try:
        row = known_format(artifact.format)
        reader, runtime_class = load_attribute(row.reader), load_attribute(row.runtime)
        shares_reader = None if row.shares is None else load_attribute(row.shares)
    except (ImportError, UserError) as error:
        return ArtifactReport(name, artifact.precision, {}, (), None, (), skipped=str(error))

    found: dict[str, str] = {}
    shares: dict[str, Shares] = {}
    calls: list[CallReport] = []
    failures: list[str] = []
    picture: float | None = None
    try:
        paths = {key: bundle.path(files.model) for key, files in artifact.components.items()}
        found = {key: reader(path) for key, path in paths.items()}
        failures += [
            f"{key} is {precision} inside, not {artifact.precision}"
            for key, precision in found.items()
            if precision != artifact.precision
        ]
        rightly = {key: path for key, path in paths.items() if found[key] == artifact.precision}
        for key, path in rightly.items():  # the others are named above
            said = artifact.components[key].precision_found
            if said != found[key]:
                failures.append(f"{key} is said to be {said} inside, it is {found[key]}")
            if row.about is not None:
                failures += metadata_faults(bundle, key, artifact.precision, load_attribute(row.about)(path))
        if shares_reader is not None:
            shares = {key: shares_reader(path) for key, path in paths.items()}
            named = (key for key in shares if found[key] == artifact.precision)  # the others are named above
            failures += [text for key in named for text in too_little(key, shares[key], artifact.precision)]
        # A trajectory without calls would let anything pass.
        uncalled = set(artifact.components) - {call.component for call in golden.calls}
        failures += [f"{key} has no call in the golden trajectory" for key in sorted(uncalled)]
        runtime: Runtime = runtime_class(bundle, precision=artifact.precision)
        try:
            calls = [report for call in golden.calls for report in _compare(runtime, call, limits)]
            failures += [_complaint(call, limits) for call in calls if not call.passed]
            if not any(call.nonfinite for call in calls):  # sampling would only stop at the first one
                picture = _picture(bundle, runtime, golden)
        finally:
            runtime.close()
        # Whoever moves the gate has said what is good enough.
        if min_psnr is None and not failures:
            failures += _regressions(bundle, artifact, calls, picture, limits)
    except NoDeviceError as error:
        return _unrun(bundle, name, artifact, row, found, shares, failures, str(error))
    except ImportError as error:  # a reader or runtime whose packages this machine lacks says nothing of the artifact
        reason = f"needs the package {error.name}: pip install 'lite-vton[{row.extra}]'"
        return _unrun(bundle, name, artifact, row, found, shares, failures, reason)
    except (UserError, ValueError, KeyError) as error:
        failures.append(str(error))
    if picture is not None and picture < limits.picture_psnr_db:
        failures.append(f"final picture {picture:.1f} dB, below {limits.picture_psnr_db:g} dB")
    return ArtifactReport(name, artifact.precision, found, tuple(calls), picture, tuple(failures), shares=shares)


def _regressions(
    bundle: Bundle, artifact: Artifact, calls: list[CallReport], picture: float | None, limits: Gate
) -> list[str]:
    manifest = bundle.manifest
    same = manifest.machine == machine() and manifest.tools == tool_versions()
    failures = []
    for key, files in artifact.components.items():
        if files.parity is not None:
            own = [call for call in calls if call.component == key]
            worst = min(call.psnr_db for call in own)
            failures += regressions(worst, [call.echo for call in own], files.parity, limits, same=same, component=key)
            if same:
                failures += misquoted(figures_of(own), files.parity, key)
    if same and artifact.picture_psnr_db is not None and picture is not None:
        failures += misquoted_picture(picture, artifact.picture_psnr_db)
    return failures


def _unrun(
    bundle: Bundle,
    name: str,
    artifact: Artifact,
    row: Format,
    found: dict[str, str],
    shares: dict[str, Shares],
    failures: list[str],
    reason: str,
) -> ArtifactReport:
    """The report of an artifact that cannot run here, which says nothing against it; what reading it back says may."""
    checked: tuple[str, ...] = ()
    if row.readback is not None:
        try:
            told = load_attribute(row.readback)(bundle, artifact.precision)
            checked, failures = told.checked, [*failures, *told.faults]
        except UserError as error:
            failures = [*failures, str(error)]
    return ArtifactReport(
        name, artifact.precision, found, (), None, tuple(failures), skipped=reason, shares=shares, read_back=checked
    )


def _compare(runtime: Runtime, call: Call, limits: Gate) -> list[CallReport]:
    outputs = runtime.components[call.component](call.inputs)
    reports = []
    for tensor, reference in call.outputs.items():
        figures = closeness(outputs[tensor], reference)
        passed = not figures.nonfinite and figures.psnr_db >= limits.psnr_db and figures.cosine >= limits.cosine
        heard = echo(outputs[tensor], reference)
        reports.append(CallReport(call.component, call.index, tensor, **asdict(figures), passed=passed, echo=heard))
    return reports


def _picture(bundle: Bundle, runtime: Runtime, golden: Trajectory) -> float:
    manifest = bundle.manifest
    result = try_on(
        runtime,
        golden.inputs,
        manifest.model,
        manifest.latent_scale,
        method=golden.method,
        steps=golden.steps,
        seed=golden.seed,
    )
    return picture_psnr(result.picture, golden.picture)


def _complaint(call: CallReport, limits: Gate) -> str:
    where = f"{call.component} step {call.step}"
    if call.nonfinite:
        return f"{where}: {call.nonfinite} values are NaN or infinite"
    return (
        f"{where}: {call.psnr_db:.1f} dB, cosine {call.cosine:.5f}; "
        f"at least {limits.psnr_db:g} dB and {limits.cosine:g} wanted"
    )
