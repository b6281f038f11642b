"""What the benchmark found, as plain rows, and the arithmetic on them; nothing here measures anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.full.contenders import DECODER, DETAIL, ENCODER, TRY_ON, UNET

__all__ = ["Ceiling", "Paper", "Report", "Row", "extrapolated"]


@dataclass(frozen=True)
class Row:
    """One contender at one target. Milliseconds are None where it could not be measured, and `failed` says why.

    `gflops` is what one call takes (`lite_vton.model.cost`), of a try-on what all its calls take together.
    `psnr_db` and `cosine` are the artifact's worst call against torch float32, None where it is torch itself or a peer;
    `gated` whether that passes the gates of an export.
    """

    name: str
    side: str
    network: str
    engine: str
    precision: str
    autoencoder: str
    target: str
    gflops: float
    p50_ms: float | None = None
    least_ms: float | None = None
    most_ms: float | None = None
    runs: int = 0
    peak_rss_bytes: int | None = None
    load_s: float | None = None
    psnr_db: float | None = None
    cosine: float | None = None
    gated: bool | None = None
    failed: str | None = None
    note: str = ""

    @property
    def gflops_per_s(self) -> float | None:
        """Reached at the median."""
        return None if self.p50_ms is None else self.gflops / (self.p50_ms / 1e3)


@dataclass(frozen=True)
class Ceiling:
    """One way to multiply two large matrices; GFLOP/s at the median, None where it failed."""

    library: str
    precision: str
    gflops_per_s: float | None
    failed: str | None = None


@dataclass(frozen=True)
class Paper:
    """A pipeline of the paper's from end to end, extrapolated: milliseconds at the medians and at both extremes."""

    name: str
    p50_ms: float
    least_ms: float
    most_ms: float


@dataclass(frozen=True)
class Report:
    """Everything of one run. `paper_steps` is what (a) and (b) sample in, `steps` what ours do."""

    header: Mapping[str, str]
    ceilings: tuple[Ceiling, ...]
    rows: tuple[Row, ...]
    steps: int
    paper_steps: int

    def at(self, target: str) -> tuple[Row, ...]:
        """The rows of one target, in the table's order."""
        return tuple(row for row in self.rows if row.target == target)

    def row(self, name: str, target: str) -> Row | None:
        """One contender's at a target; None if it was not measured."""
        found = (row for row in self.rows if (row.name, row.target) == (name, target) and row.p50_ms is not None)
        return next(found, None)

    def ceiling(self, precision: str) -> float | None:
        """The highest GFLOP/s that anything reached in a precision."""
        reached = [c.gflops_per_s for c in self.ceilings if c.precision == precision and c.gflops_per_s is not None]
        return max(reached, default=None)

    def share(self, row: Row) -> float | None:
        """Of its precision's ceiling, what a component reaches; None for a whole try-on, which mixes work."""
        ceiling = self.ceiling(row.precision)
        if row.gflops_per_s is None or ceiling is None or row.target in (TRY_ON, DETAIL):
            return None
        return row.gflops_per_s / ceiling

    def paper(self, network: str) -> Paper | None:
        """The paper's pipeline of "teacher" or "student" or, for the same network as ours, "ours", from end to end."""
        unet = next((row for row in self.at(UNET) if row.network == network and row.engine == "torch"), None)
        encoder, decoder = (
            next((row for row in self.at(target) if row.engine == "torch" and row.autoencoder == "kl"), None)
            for target in (ENCODER, DECODER)
        )
        if unet is None or encoder is None or decoder is None:
            return None
        return extrapolated(network, unet, encoder, decoder, self.paper_steps)

    def times(self, row: Row, reference: Row | Paper | None) -> float | None:
        """How many times as long `reference` takes; None where either was not measured."""
        if row.p50_ms is None or reference is None or reference.p50_ms is None:
            return None
        return reference.p50_ms / row.p50_ms

    def best(self, target: str, side: str = "ours") -> Row | None:
        """The fastest row of a side at a target."""
        rows = [row for row in self.at(target) if row.side == side and row.p50_ms is not None]
        return min(rows, key=lambda row: row.p50_ms or 0.0, default=None)

    def to_json(self) -> dict[str, Any]:
        """Plain data, with what is derived beside what was measured."""
        teacher, student, same = (self.paper(name) for name in ("teacher", "student", "ours"))
        rows = []
        for row in self.rows:
            whole = row.target in (TRY_ON, DETAIL)
            references = (teacher, student, same) if whole else self.references(row.target)
            times = (self.times(row, reference) for reference in references)
            derived = {"gflops_per_s": row.gflops_per_s, "share_of_ceiling": self.share(row)}
            rows.append(asdict(row) | derived | dict(zip(("times_a", "times_b", "times_same"), times, strict=True)))
        return {
            "kind": "lite-vton-full-benchmark",
            "header": dict(self.header),
            "steps": self.steps,
            "paper_steps": self.paper_steps,
            "ceilings": [asdict(ceiling) for ceiling in self.ceilings],
            "paper": [asdict(paper) for paper in (teacher, student, same) if paper is not None],
            "rows": rows,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Report:
        """Back from `to_json`; what was derived is derived anew."""
        known = Row.__dataclass_fields__
        rows = tuple(Row(**{key: value for key, value in row.items() if key in known}) for row in content["rows"])
        ceilings = tuple(Ceiling(**ceiling) for ceiling in content["ceilings"])
        return cls(content["header"], ceilings, rows, content["steps"], content["paper_steps"])

    def references(self, target: str) -> tuple[Row | None, Row | None, Row | None]:
        """(a)'s, (b)'s and our own network's row of a component in torch float32; the paper's autoencoder is one."""
        names = ("teacher", "student", "torch fp32") if target == UNET else ("torch fp32",) * 3
        a, b, same = (self.row(name, target) for name in names)
        return a, b, same


def extrapolated(name: str, unet: Row, encoder: Row, decoder: Row, steps: int) -> Paper | None:
    """Two encodes, `steps` U-Net calls, one decode: at the medians, and with every part at its least and its most."""

    def total(field: str) -> float | None:
        parts = [getattr(row, field) for row in (encoder, unet, decoder)]
        if any(part is None for part in parts):
            return None
        return float(2 * parts[0] + steps * parts[1] + parts[2])

    p50, least, most = (total(field) for field in ("p50_ms", "least_ms", "most_ms"))
    if p50 is None or least is None or most is None:
        return None
    return Paper(name, p50, least, most)
