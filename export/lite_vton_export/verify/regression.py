"""Whether an artifact still answers as it did when it was written.

The gates let a good artifact of a coarse precision get a good deal worse before they close: an int8 U-Net at 40 dB
hides one layer that is 5 % off. So an export writes into the manifest how close each component came, and an echo of
every answer: its products with a few fixed random vectors, enough to tell how far another answer is away (`echo_psnr`),
in a few bytes. Two rules follow:

the same machine and packages   answer as they did then: every format here computes the same bits again (`machine`
                                counts the threads in: by their number torch's sums round otherwise)
anything else                   errs at most twice as much as then (6 dB), measured against torch float32

This finds accidents. Who can rewrite the hashes in the manifest can rewrite the figures beside them as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from lite_vton.bundle import Parity
from lite_vton_export.parity.closeness import IDENTICAL_DB, echo_psnr
from lite_vton_export.parity.gates import Gate
from lite_vton_export.verify.report import CallReport

__all__ = ["SAME_DB", "WORSE_DB", "figures_of", "misquoted", "misquoted_picture", "regressions"]


SAME_DB = 90.0
"""What an answer must share with that of the export on the same machine: OpenVINO and ONNX Runtime give the very same
bits, and no layer of the tiny int8 networks, 5 % off, left 80 dB."""
WORSE_DB = 6.0
_SAME_FIGURE = 0.01  # dB
_ABOVE_GATE_DB = 30.0
"""How far above its gate a figure still says something: 140 dB in float32 on one CPU may well be 120 on another."""


def regressions(
    psnr_db: float, echoes: Sequence[Sequence[float]], then: Parity, limits: Gate, *, same: bool, component: str
) -> list[str]:
    """What is wrong with a component whose worst PSNR is `psnr_db` now; `same`: on the export's own machine."""
    floor = min(then.psnr_db, limits.psnr_db + _ABOVE_GATE_DB) - WORSE_DB
    if psnr_db < floor:
        return [f"{component}: {psnr_db:.1f} dB, and {then.psnr_db:.1f} dB when it was exported: export it again"]
    if not same or not then.echoes:
        return []
    closest = [echo_psnr(now, before) for now, before in zip(echoes, then.echoes, strict=False)]
    worst = min(closest, default=IDENTICAL_DB)
    if len(echoes) != len(then.echoes) or worst < SAME_DB:
        return [f"{component} answers otherwise than when it was exported here ({worst:.0f} dB): export it again"]
    return []


def figures_of(calls: Sequence[CallReport]) -> Parity:
    """The worst of a component's calls, and the echoes of all, as the manifest keeps them."""
    return Parity(
        psnr_db=min(call.psnr_db for call in calls),
        cosine=min(call.cosine for call in calls),
        max_abs=max(call.max_abs for call in calls),
        echoes=tuple(call.echo for call in calls),
    )


def misquoted(now: Parity, said: Parity, component: str) -> list[str]:
    """Where figures of the export are not those that the same machine finds again."""
    return [
        f"{component}: the manifest says {name} is {getattr(said, name):g}, it is {getattr(now, name):g}"
        for name, least in (("psnr_db", _SAME_FIGURE), ("cosine", 1e-6), ("max_abs", 1e-3 * max(now.max_abs, 1e-9)))
        if abs(getattr(now, name) - getattr(said, name)) > least
    ]


def misquoted_picture(now: float, said: float) -> list[str]:
    """The same of the final picture, in dB."""
    return [f"the manifest says picture_psnr_db is {said:g}, it is {now:g}"] if abs(now - said) > _SAME_FIGURE else []
