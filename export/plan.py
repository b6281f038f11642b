"""What an export will write, and with "all", what it leaves out and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.formats import FORMATS, Format, require
from export.manifest import WEIGHTS_PATH
from lite_vton.errors import UserError
from lite_vton.presets import ModelConfig

__all__ = ["ALL", "Plan", "plan_export"]

ALL = "all"
"""In place of a format: every one that can be written here. In place of a precision: every one of each format."""


@dataclass(frozen=True)
class Plan:
    """What an export would write: artifact folders, and the component files in each, relative to `output`.

    `left_out` says of each format or artifact that "all" does not bring here why that is, a line each.
    """

    output: Path
    artifacts: tuple[tuple[Format, str], ...]
    components: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        files = (f"  {folder}" for folder in self.folders)
        missing = (f"left out  {line}" for line in self.left_out)
        return "\n".join((f"{self.output}", f"  {WEIGHTS_PATH}", "  golden", *files, *missing))

    @property
    def by_format(self) -> dict[Format, tuple[str, ...]]:
        """The precisions of each format, in the order asked for."""
        rows = dict.fromkeys(row for row, _ in self.artifacts)
        return {row: tuple(precision for other, precision in self.artifacts if other is row) for row in rows}

    @property
    def is_calibrated(self) -> bool:
        """Whether anything in it is quantised to the ranges of real try-ons, and so needs people to calibrate on."""
        return any(precision in row.calibrated for row, precision in self.artifacts)

    @property
    def is_half(self) -> bool:
        """Whether anything in it is in fp16, and so needs to know what float16 cannot hold."""
        return any(precision == "fp16" and row.keeps_float32 for row, precision in self.artifacts)

    @property
    def folders(self) -> tuple[str, ...]:
        """One `<format>-<precision>/<component>` per file to be written."""
        return tuple(f"{row.name}-{precision}/{name}" for row, precision in self.artifacts for name in self.components)


def plan_export(
    config: ModelConfig,
    output: Path,
    formats: Sequence[str] = ("onnx",),
    precisions: Sequence[str] = ("fp32", "fp16"),
    *,
    weights: bool = True,
) -> Plan:
    """Check the request and say what it would write, without writing; raises `UserError` as `export_bundle` would.

    With "all" among the formats, each gets those of `precisions` that it has; formats whose packages are missing, and
    those too slow to check at the model's size, are left out. Formats asked for by name have to have every precision.
    Without `weights` there are float32 ONNX files alone to make things of.
    """
    if ALL not in formats:
        artifacts = list(_named(formats, precisions))
        for row, precision in artifacts:
            reason = None if weights else _needs_weights(row, precision)
            if reason is not None:
                raise UserError(f"{row.name}-{precision} {reason}: choose another format or precision")
        return Plan(Path(output), tuple(artifacts), config.components)
    known = dict.fromkeys(precision for row in FORMATS.values() for precision in row.precisions)
    for precision in precisions:
        if precision not in (*known, ALL):
            raise UserError(f"no format is written in {precision!r}: choose from {', '.join(known)}")
    named = [name for name in formats if name != ALL]
    for name in named:
        require([name], [FORMATS[name].precisions[0]] if name in FORMATS else precisions)  # refuses what is misspelt
    artifacts = []
    left_out: list[str] = []
    for row in FORMATS.values():
        reason = None if row.name in named else _reason_not_to(row, config)
        if reason is not None:
            left_out.append(f"{row.name}: {reason}")
            continue
        for precision in row.precisions if ALL in precisions else dict.fromkeys(precisions):
            reason = None if weights else _needs_weights(row, precision)
            if precision in row.precisions and reason is not None:
                left_out.append(f"{row.name}-{precision}: {reason}")
            elif precision in row.precisions:
                artifacts.append((row, precision))
            else:
                left_out.append(f"{row.name}-{precision}: {row.name} has {', '.join(row.precisions)}")
    if not artifacts:
        raise UserError(f"nothing can be exported here ({'; '.join(left_out)})")
    return Plan(Path(output), tuple(artifacts), config.components, tuple(left_out))


def _named(formats: Sequence[str], precisions: Sequence[str]) -> Iterator[tuple[Format, str]]:
    if ALL not in precisions:
        yield from require(formats, precisions)
        return
    for name in dict.fromkeys(formats):
        yield from require([name], FORMATS[name].precisions if name in FORMATS else precisions)


def _needs_weights(row: Format, precision: str) -> str | None:
    """Why an artifact cannot be made of float32 ONNX files; None if it can."""
    if not row.from_onnx:
        return "is made from weights, and the bundle has none"
    return "is calibrated with weights, and the bundle has none" if precision in row.calibrated else None


def _reason_not_to(row: Format, config: ModelConfig) -> str | None:
    """Why "all" leaves a format out for this model on this machine; None if it does not."""
    if row.missing:
        return f"needs {row.lacks}"
    if row.checked_up_to is not None and config.height * config.width > row.checked_up_to:
        return f"checking {config.width}x{config.height} takes hours here: ask for it by name, --format {row.name}"
    return None
