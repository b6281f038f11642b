"""What single formats can be told beyond precision, as plain typed values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from lite_vton.errors import UserError

__all__ = ["ATTENTIONS", "COMPUTE_UNITS", "COREML_TARGETS", "CoreMLOptions", "ExportOptions"]

COREML_TARGETS = ("ios16", "ios17", "ios18")
COMPUTE_UNITS = ("all", "cpu-only", "cpu-and-gpu", "cpu-and-ne")
ATTENTIONS = ("original", "split-einsum")


@dataclass(frozen=True)
class CoreMLOptions:
    """How Core ML packages are written; a `UserError` for a word that is none of the above.

    target         the oldest system that opens the package; ios16 is macOS 13, ios17 macOS 14, ios18 macOS 15
    compute_units  what an app is advised to ask for when it loads the package; kept in its metadata
    attention      "split-einsum" is the U-Net's attention a head at a time, as the Neural Engine likes it
                   (`lite_vton_export.coreml.attention`)
    """

    target: str = "ios17"
    compute_units: str = "all"
    attention: str = "original"

    def __post_init__(self) -> None:
        for what, value, known in (
            ("Core ML target", self.target, COREML_TARGETS),
            ("compute units", self.compute_units, COMPUTE_UNITS),
            ("attention", self.attention, ATTENTIONS),
        ):
            if value not in known:
                raise UserError(f"unknown {what} {value!r}: choose one of {', '.join(known)}")


@dataclass(frozen=True)
class ExportOptions:
    """One field a format that has options, called as the format is."""

    coreml: CoreMLOptions = field(default_factory=CoreMLOptions)

    def of(self, format: str) -> dict[str, Any]:
        """Keyword arguments for the exporter of `format`: its `options`, or nothing where it has none."""
        found = getattr(self, format, None)
        return {} if found is None else {"options": found}

    def told(self, format: str) -> dict[str, str]:
        """The same as the manifest has it, by the options' names."""
        found = getattr(self, format, None)
        return {} if found is None else {name: str(value) for name, value in asdict(found).items()}
