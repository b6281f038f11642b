"""What an artifact has to reach to stay, by precision."""

from __future__ import annotations

from dataclasses import dataclass

from lite_vton.errors import UserError

__all__ = ["GATES", "Gate", "gate"]


@dataclass(frozen=True)
class Gate:
    """Lowest values that pass: PSNR and cosine of every component at every step, PSNR of the final picture."""

    psnr_db: float
    cosine: float
    picture_psnr_db: float


GATES: dict[str, Gate] = {
    "fp32": Gate(psnr_db=70.0, cosine=0.999, picture_psnr_db=35.0),
    "fp16": Gate(psnr_db=40.0, cosine=0.999, picture_psnr_db=35.0),
    "bf16": Gate(psnr_db=40.0, cosine=0.999, picture_psnr_db=35.0),
    "int8": Gate(psnr_db=30.0, cosine=0.99, picture_psnr_db=28.0),
    "w8": Gate(psnr_db=30.0, cosine=0.99, picture_psnr_db=28.0),
    "p8": Gate(psnr_db=30.0, cosine=0.999, picture_psnr_db=35.0),
    "p6": Gate(psnr_db=30.0, cosine=0.999, picture_psnr_db=35.0),
    "p4": Gate(psnr_db=30.0, cosine=0.999, picture_psnr_db=35.0),
}


def gate(precision: str, min_psnr: float | None = None) -> Gate:
    """The gate of a precision, its component PSNR replaced by `min_psnr` dB if given."""
    if precision not in GATES:
        raise UserError(f"no gate for precision {precision!r}: choose one of {', '.join(GATES)}")
    found = GATES[precision]
    return found if min_psnr is None else Gate(min_psnr, found.cosine, found.picture_psnr_db)
