"""What an export will write, and with "all", what it leaves out and why."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig
from lite_vton_export.formats import FORMATS, Format, require
from lite_vton_export.fused.tensors import check_fusable, fused_name
from lite_vton_export.manifest.describe import WEIGHTS_PATH

__all__ = ["ALL", "DEFAULT_PEOPLE", "Plan", "plan_export"]

DEFAULT_PEOPLE = 4
"""How many people are dressed to calibrate; in 8 steps, 32 calls of the U-Net. The demo model gains nothing of more."""

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
    fused: bool = False
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        files = (f"  {folder}" for folder in (*self.folders, *self.fused_names))
        missing = (f"left out  {line}" for line in self.left_out)
        return "\n".join((f"{self.output}", f"  {WEIGHTS_PATH}", "  golden", *files, *missing))

    @property
    def names(self) -> tuple[str, ...]:
        """Folders of its artifacts, fused ones apart."""
        return tuple(f"{row.name}-{precision}" for row, precision in self.artifacts)

    def without(self, names: Container[str]) -> Plan:
        """The same without the artifacts of those names."""
        return replace(
            self,
            artifacts=tuple(one for one, name in zip(self.artifacts, self.names, strict=True) if name not in names),
        )

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
    def fused_names(self) -> tuple[str, ...]:
        """Folders of fused artifacts, one beside each that has such a form; none unless they are asked for."""
        rows = self.artifacts if self.fused else ()
        return tuple(fused_name(row.name, precision) for row, precision in rows if row.fused is not None)

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
    fused: bool = False,
) -> Plan:
    """Check the request and say what it would write, without writing; raises `UserError` as `export_bundle` would.

    With "all" among the formats, each gets those of `precisions` that it has; formats whose packages are missing, and
    those too slow to check at the model's size, are left out. Formats asked for by name have to have every precision.
    Without `weights` there are float32 ONNX files alone to make things of. With `fused`, each artifact has its fused
    form beside it: those asked for by name have to have one.
    """
    if fused:
        check_fusable(config)
    if ALL not in formats:
        artifacts = list(_named(formats, precisions))
        for row, precision in artifacts:
            reason = None if weights else _needs_weights(row, precision)
            if reason is not None:
                raise UserError(f"{row.name}-{precision} {reason}: choose another format or precision")
            if fused and row.fused is None:
                can = ", ".join(name for name, known in FORMATS.items() if known.fused is not None)
                raise UserError(f"{row.name} has no fused form: choose from {can}, or leave --fused out")
        return Plan(Path(output), tuple(artifacts), config.components, fused)
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
    if fused:
        bare = dict.fromkeys(row.name for row, _ in artifacts if row.fused is None)
        left_out += [f"{name}-fused: {name} has no fused form" for name in bare]
    return Plan(Path(output), tuple(artifacts), config.components, fused, tuple(left_out))


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
