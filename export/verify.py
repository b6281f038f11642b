"""Hold every artifact of a bundle against its golden trajectory, call by call and as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from export.formats import caveats, known_format, load_attribute
from export.gates import Gate, gate
from export.golden import Call, Trajectory, load_trajectory
from export.parity import closeness, picture_psnr
from lite_vton.bundle import Artifact, Bundle
from lite_vton.errors import UserError
from runtimes.base import Runtime
from runtimes.tryon import try_on

__all__ = ["ArtifactReport", "CallReport", "Report", "VerificationError", "verify"]


class VerificationError(UserError):
    """An artifact is not what it should be. `report` says where."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class CallReport:
    """One tensor of one call. `step` counts the component's calls from 0."""

    component: str
    step: int
    tensor: str
    psnr_db: float
    cosine: float
    max_abs: float
    nonfinite: int
    passed: bool


@dataclass(frozen=True)
class ArtifactReport:
    """One artifact. `failures` is empty if it passed; `skipped` says why it could not run, or is None."""

    artifact: str
    precision: str
    found: dict[str, str]
    calls: tuple[CallReport, ...]
    picture_psnr_db: float | None
    failures: tuple[str, ...]
    skipped: str | None = None

    def __bool__(self) -> bool:
        return not self.failures and self.skipped is None

    def worst(self, component: str) -> CallReport:
        """The call of a component with the lowest PSNR; `KeyError` if it was never called."""
        calls = [call for call in self.calls if call.component == component]
        if not calls:
            raise KeyError(component)
        return min(calls, key=lambda call: call.psnr_db)


@dataclass(frozen=True)
class Report:
    """All artifacts. True if each one that could run passed, and at least one could."""

    artifacts: tuple[ArtifactReport, ...]

    def __bool__(self) -> bool:
        return self.exit_code == 0

    @property
    def caveats(self) -> tuple[str, ...]:
        """What was not measured on what will run the artifact, by format; of those that ran."""
        return caveats(report.artifact.partition("-")[0] for report in self.artifacts if report.skipped is None)

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 2 nothing could run."""
        if any(report.failures for report in self.artifacts):
            return 1
        return 0 if any(self.artifacts) else 2

    def __str__(self) -> str:
        lines = [line for report in self.artifacts for line in _lines(report)]
        return "\n".join((*lines, *(f"note     {text}" for text in self.caveats))) or "no artifact to verify"

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `verify.json` holds it."""
        rows = [{**asdict(report), "passed": bool(report)} for report in self.artifacts]
        return {"kind": "lite-vton-verify", "passed": bool(self), "artifacts": rows, "caveats": list(self.caveats)}


def verify(
    bundle: Bundle,
    *,
    artifacts: Iterable[str] | None = None,
    min_psnr: float | None = None,
    write: bool = True,
    on_progress: Callable[[str], None] | None = None,
) -> Report:
    """Run each artifact on its backend and compare with torch float32 as recorded in the bundle.

    Per artifact: the precision its files really have; each component on the golden inputs of every step; then
    the whole sampling, whose picture is compared. `artifacts` are folder names such as "onnx-fp16" (default
    all), `min_psnr` replaces the component gate in dB. `write` puts `verify.json` into the bundle.
    Raises `UserError` if the bundle has no golden trajectory or no artifact of that name.
    """
    manifest = bundle.manifest
    if manifest.golden is None:
        raise UserError(f"the bundle {bundle.root} has no golden trajectory to verify against: export it again")
    names = tuple(manifest.artifacts) if artifacts is None else tuple(artifacts)
    for name in names:
        if name not in manifest.artifacts:
            raise UserError(f"no artifact {name!r} in the bundle: it has {', '.join(manifest.artifacts) or 'none'}")
    golden = load_trajectory(bundle.path(manifest.golden))
    reports = []
    for name in names:
        if on_progress is not None:
            on_progress(f"verify {name}")
        reports.append(_verify_artifact(bundle, name, manifest.artifacts[name], golden, min_psnr))
    report = Report(tuple(reports))
    if write:
        (bundle.root / "verify.json").write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    return report


def _verify_artifact(
    bundle: Bundle, name: str, artifact: Artifact, golden: Trajectory, min_psnr: float | None
) -> ArtifactReport:
    limits = gate(artifact.precision, min_psnr)
    try:
        row = known_format(artifact.format)
        reader, runtime_class = load_attribute(row.reader), load_attribute(row.runtime)
    except (ImportError, UserError) as error:
        return ArtifactReport(name, artifact.precision, {}, (), None, (), skipped=str(error))

    found: dict[str, str] = {}
    calls: list[CallReport] = []
    failures: list[str] = []
    picture: float | None = None
    try:
        found = {key: reader(bundle.path(files.model)) for key, files in artifact.components.items()}
        failures += [
            f"{key} is {precision} inside, not {artifact.precision}"
            for key, precision in found.items()
            if precision != artifact.precision
        ]
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
    except ImportError as error:  # a reader or runtime whose packages this machine lacks says nothing of the artifact
        reason = f"needs the package {error.name}: pip install 'lite-vton[{row.extra}]'"
        return ArtifactReport(name, artifact.precision, found, (), None, (), skipped=reason)
    except (UserError, ValueError, KeyError) as error:
        failures.append(str(error))
    if picture is not None and picture < limits.picture_psnr_db:
        failures.append(f"final picture {picture:.1f} dB, below {limits.picture_psnr_db:g} dB")
    return ArtifactReport(name, artifact.precision, found, tuple(calls), picture, tuple(failures))


def _compare(runtime: Runtime, call: Call, limits: Gate) -> list[CallReport]:
    outputs = runtime.components[call.component](call.inputs)
    reports = []
    for tensor, reference in call.outputs.items():
        figures = closeness(outputs[tensor], reference)
        passed = not figures.nonfinite and figures.psnr_db >= limits.psnr_db and figures.cosine >= limits.cosine
        reports.append(CallReport(call.component, call.index, tensor, **asdict(figures), passed=passed))
    return reports


def _picture(bundle: Bundle, runtime: Runtime, golden: Trajectory) -> float:
    manifest = bundle.manifest
    result = try_on(
        runtime,
        golden.inputs,
        schedule=manifest.model.schedule,
        latent_scale=manifest.latent_scale,
        told=manifest.model.unet.told,
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


def _lines(report: ArtifactReport) -> list[str]:
    if report.skipped is not None:
        return [f"skipped  {report.artifact}: {report.skipped}"]
    verdict = "passed" if report else "FAILED"
    worst = [report.worst(name) for name in dict.fromkeys(call.component for call in report.calls)]
    figures = [f"{call.component} {call.psnr_db:.1f} dB" for call in worst]
    if report.picture_psnr_db is not None:
        figures.append(f"picture {report.picture_psnr_db:.1f} dB")
    return [f"{verdict}   {report.artifact}: {', '.join(figures)}", *(f"         {text}" for text in report.failures)]
