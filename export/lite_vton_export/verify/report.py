"""What a verification found, as an object, as lines of text and as `verify.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from lite_vton.errors import UserError
from lite_vton_export.formats import caveats
from lite_vton_export.precision.shares import Shares

__all__ = ["ArtifactReport", "CallReport", "Report", "VerificationError"]


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
    echo: tuple[float, ...] = ()


@dataclass(frozen=True)
class ArtifactReport:
    """One artifact. `failures` is empty if it passed; `skipped` says why it could not run, or is None.

    `shares` are those of each component, where the format can be read so far. One that could not run may have been
    `read_back`: what was compared instead, in words. It has not passed then, for its numbers are not known, but may
    be kept.
    """

    artifact: str
    precision: str
    found: dict[str, str]
    calls: tuple[CallReport, ...]
    picture_psnr_db: float | None
    failures: tuple[str, ...]
    skipped: str | None = None
    shares: dict[str, Shares] = field(default_factory=dict)
    read_back: tuple[str, ...] = ()

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
    """All artifacts. True if each one that could run passed, at least one could, and the manifest is right.

    `manifest` says what in manifest.json is not what the files say.
    """

    artifacts: tuple[ArtifactReport, ...]
    manifest: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.exit_code == 0

    @property
    def caveats(self) -> tuple[str, ...]:
        """What was not measured on what will run the artifact, by format; of those that ran."""
        return caveats(report.artifact.partition("-")[0] for report in self.artifacts if report.skipped is None)

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed (by numbers, manifest or when read back), 2 nothing could run, if only read back."""
        if self.manifest or any(report.failures for report in self.artifacts):
            return 1
        return 0 if any(self.artifacts) else 2

    def __str__(self) -> str:
        lines = [f"FAILED   {text}" for text in self.manifest]
        lines += [line for report in self.artifacts for line in _lines(report)]
        return "\n".join((*lines, *(f"note     {text}" for text in self.caveats))) or "no artifact to verify"

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `verify.json` holds it."""
        rows = [{**asdict(report), "passed": bool(report)} for report in self.artifacts]
        for row in rows:
            for call in row["calls"]:
                del call["echo"]  # of use only where it was exported, and there the manifest has it
        return {
            "kind": "lite-vton-verify",
            "passed": bool(self),
            "manifest": list(self.manifest),
            "artifacts": rows,
            "caveats": list(self.caveats),
        }


def _lines(report: ArtifactReport) -> list[str]:
    if report.skipped is not None and not report.failures:
        if report.read_back:
            compared = f"{report.skipped}; compared: {', '.join(report.read_back)}"
            return [f"read back, not run  {report.artifact}: {compared}"]
        return [f"skipped  {report.artifact}: {report.skipped}"]
    verdict = "passed" if report else "FAILED"
    worst = [report.worst(name) for name in dict.fromkeys(call.component for call in report.calls)]
    figures = [f"{call.component} {call.psnr_db:.1f} dB" for call in worst]
    if report.picture_psnr_db is not None:
        figures.append(f"picture {report.picture_psnr_db:.1f} dB")
    notes = {shares.note: None for shares in report.shares.values() if shares.note}
    texts = (*report.failures, *([_shares(report)] if report.shares else []), *notes)
    told = ", ".join(figures) or report.skipped or "not run"
    return [f"{verdict}   {report.artifact}: {told}", *(f"         {text}" for text in texts)]


def _shares(report: ArtifactReport) -> str:
    """In one line, how much of the component with the least of it is in the artifact's precision."""
    kinds = {
        "weights": [shares.weights for shares in report.shares.values()],
        "multiplications": [shares.multiplications for shares in report.shares.values()],
    }
    least = {what: min(of.get(report.precision, 0.0) for of in found) for what, found in kinds.items()}
    return f"{report.precision}: " + ", ".join(f"{share:.1%} of {what}" for what, share in least.items())
