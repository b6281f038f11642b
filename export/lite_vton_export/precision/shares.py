"""How much of an artifact really is in the precision its name says, counted product by product.

Products with weights (convolutions, matrix products) are where a network's size and time are. Each counts twice: its
weights by how they are stored, its multiplications by what they are computed in. Every format that can be read back
gives a `Shares` (`lite_vton_export.formats.Format.shares`); `lite-vton verify` prints and stores them, and fails a
mismatch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["MOST", "Product", "Shares", "overall", "shares_of", "too_little"]

MOST = 0.5
"""Share above which a precision of `_BESIDE` gives an artifact its name. The rest may be what
`lite_vton_export.precision.float_layers` keeps in float: nearly half of the tiny presets' autoencoder, which is little
else than its ends, and a few per cent of any network worth quantising."""
_FLOAT = frozenset({"fp32", "fp16", "bf16"})
_BESIDE: Mapping[str, frozenset[str]] = {
    "int8": _FLOAT,
    "w8": _FLOAT,
    "p8": _FLOAT,
    "p6": _FLOAT | {"p8"},  # the smallest weights' palettes (`lite_vton_export.coreml.compression`)
    "p4": _FLOAT | {"p8"},
    "bf16": frozenset({"fp32"}),  # OpenVINO (2026.4) has no bfloat16 transposed convolution on AVX-512
}
"""Precisions that hardly ever are a whole network's, and what else may be beside them."""


@dataclass(frozen=True)
class Product:
    """One product with weights. Precisions are named as in `lite_vton_export.parity.gates.GATES`.

    `weights` numbers are stored in precision `stored`; `multiplications` of them are computed in `computed`. Weights
    that are widened before they meet float activations are stored and computed as "w8", for the float arithmetic is
    what that precision means. `name` tells weights that several products share, which are counted once.
    """

    name: str
    stored: str
    computed: str
    weights: float
    multiplications: float


@dataclass(frozen=True)
class Shares:
    """Precision to share in [0, 1], of the weights and of the multiplications; both empty without products.

    `note` says in words what holds on this machine only, such as a precision that its CPU cannot compute in.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    multiplications: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


def shares_of(products: Iterable[Product], note: str = "") -> Shares:
    """The shares of a network's products."""
    known = list(products)
    stored = {product.name: (product.stored, product.weights) for product in known}
    return Shares(
        _normalised(stored.values()),
        _normalised((product.computed, product.multiplications) for product in known),
        note,
    )


def too_little(component: str, shares: Shares, precision: str) -> list[str]:
    """A line each for weights and multiplications most of which are not in a component's precision."""
    kinds = {"weights": shares.weights} | ({} if shares.note else {"multiplications": shares.multiplications})
    return [
        f"only {of.get(precision, 0.0):.0%} of the {what} of {component} are {precision}"
        for what, of in kinds.items()
        if of.get(precision, 0.0) <= MOST
    ]


def overall(shares: Mapping[str, float]) -> str:
    """One word for the shares of precisions in a network: the one there is, or "mixed fp16/fp32" and so on; or "none".

    Where some layers have to stay wider ("int8", "w8", "bf16"), it is what most are.
    """
    for kind, wider in _BESIDE.items():
        if shares.get(kind, 0.0) > MOST and set(shares) - {kind} <= wider:
            return kind
    if len(shares) == 1:
        return next(iter(shares))
    return f"mixed {'/'.join(sorted(shares))}" if shares else "none"


def _normalised(counted: Iterable[tuple[str, float]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for kind, count in counted:
        sums[kind] = sums.get(kind, 0.0) + count
    total = sum(sums.values())
    return {kind: count / total for kind, count in sums.items()} if total else dict.fromkeys(sums, 0.0)
