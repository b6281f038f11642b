"""What `just reproduce` trains: the rows of the paper's tables in small, rows of our own beside them, and the budgets.

All rows of one seed see the same samples in the same order: a step's random numbers depend on seed and step alone
(`lite_vton_training.loop.fit.step_generator`). So rows are compared seed by seed, and what the draw of the samples does
to both of them cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lite_vton.presets.conditioning import COMPONENTS_OF_PAPER
from lite_vton_training.distillation.starts import Start
from lite_vton_training.trainers.losses import LossConfig

__all__ = ["BUDGETS", "ROWS", "SHIPPED", "TABLES", "Budget", "Row", "Table"]

SHIPPED = "shipped"
"""Stands for the teacher that comes with the package, where a row's teacher is named."""


@dataclass(frozen=True)
class Budget:
    """What every row is given, and all that its figures depend on beside row and seed. Saved with the results.

    `pairs` are drawn with `data_seed` to train on, `held_out` others to judge on. Every `similarity_every` steps of a
    student the CKA to its teacher is logged. A CLIP that is given for row D has the shape of `tower_of`'s.
    """

    pairs: int
    held_out: int
    batch_size: int
    teacher_steps: int
    student_steps: int
    teacher_rate: float = 8e-4
    student_rate: float = 1e-3
    ema_decay: float = 0.998
    checkpoint_every: int = 100
    similarity_every: int = 50
    data_seed: int = 20251
    teacher: str = "demo-teacher"
    student: str = "demo"
    tower_of: str = "mp-vton"


BUDGETS: Mapping[str, Budget] = MappingProxyType(
    {
        "small": Budget(pairs=1000, held_out=64, batch_size=8, teacher_steps=450, student_steps=300),
        "full": Budget(pairs=4000, held_out=64, batch_size=16, teacher_steps=2000, student_steps=1500),
    }
)


@dataclass(frozen=True)
class Row:
    """One network to train, `name` being its folder's. `components` is a row of `COMPONENTS_OF_PAPER`.

    `taught_by` is SHIPPED, another row's name (that row's network of the same seed), or None for a teacher itself.
    `distill` and `losses` as for `lite_vton_training.trainers.denoiser.train_denoiser`; a slimmed `start` is cut out of
    the teacher.
    """

    name: str
    taught_by: str | None = SHIPPED
    distill: str = "output"
    components: str = "A+B+C"
    losses: LossConfig = field(default_factory=LossConfig)
    start: Start = "random"

    @property
    def is_student(self) -> bool:
        """Whether it has a student's shape."""
        return self.taught_by is not None

    @property
    def has_tokens(self) -> bool:
        """Whether it looks at the garment through an image tower."""
        return COMPONENTS_OF_PAPER[self.components].tokens


_COMPONENTS = ("A", "A+B", "A+B+C", "A+B+C+D")
_STRONG = LossConfig(feature=1.0)
_COARSE = LossConfig(taps=("down2", "up2"))

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        row.name: row
        for row in (
            *(Row(kind, distill=kind) for kind in ("none", "output", "feature", "factor", "relation", "caad")),
            Row("output-slimmed", start="slimmed"),
            Row("none-slimmed", distill="none", start="slimmed"),
            Row("feature-slimmed", distill="feature", start="slimmed"),
            Row("feature-strong", distill="feature", losses=_STRONG),
            Row("caad-strong", distill="caad", losses=_STRONG),
            Row("caad-coarse", distill="caad", losses=_COARSE),
            Row("caad-slimmed", distill="caad", start="slimmed"),
            Row("caad-local", distill="caad-local"),
            Row("caad-placed", distill="caad-placed"),
            Row("caad-sharp", distill="caad-sharp"),
            Row("caad-sharp-strong", distill="caad-sharp", losses=_STRONG),
            *(Row(f"teacher-{name}", None, "none", name) for name in _COMPONENTS),
            # The paper gives no student with CLIP's tokens.
            *(Row(f"student-{name}", f"teacher-{name}", "output", name) for name in _COMPONENTS[:-1]),
        )
    }
)
"""In the order in which they are trained: a teacher before its student."""


@dataclass(frozen=True)
class Table:
    """Rows that are compared, each with `baseline`. `order` is the paper's (or our) expectation, worst first."""

    title: str
    rows: tuple[str, ...]
    baseline: str
    order: tuple[str, ...]
    whose: str
    about: str


TABLES: Mapping[str, Table] = MappingProxyType(
    {
        "teachers": Table(
            "Components: teachers",
            tuple(f"teacher-{name}" for name in _COMPONENTS),
            "teacher-A",
            tuple(f"teacher-{name}" for name in _COMPONENTS),
            "the paper's",
            "Each trained from random weights. A leaves less of a person to be repainted than the others do, and in "
            "the person's own garment its mask gives the answer's outline away: figures of A are flattered here, the "
            "figures inside the mask are about other pixels, and its fault, another garment's outline, does not show.",
        ),
        "students": Table(
            "Components: students",
            tuple(f"student-{name}" for name in _COMPONENTS[:-1]),
            "student-A",
            tuple(f"student-{name}" for name in _COMPONENTS[:-1]),
            "the paper's",
            "Each beside the teacher above that was told the same, of the same seed, with output distillation from "
            "random weights. What is said of A there holds here too.",
        ),
        "distillation": Table(
            "Distillation",
            ("none", "output", "feature", "factor", "relation", "caad"),
            "output",
            ("none", "output", "feature", "caad"),
            "the paper's",
            "Cases 1 to 4 of the paper are none, output, feature and caad; factor and relation are ours. The teacher "
            "is the one that comes with the package; weights start at random.",
        ),
        "caad": Table(
            "What holds CAAD back",
            (
                "caad",
                "caad-strong",
                "caad-coarse",
                "caad-slimmed",
                "caad-local",
                "caad-placed",
                "caad-sharp",
                "caad-sharp-strong",
                "feature",
                "feature-slimmed",
                "feature-strong",
            ),
            "caad",
            ("caad", "caad-placed", "feature"),
            "our",
            "Own distance is what is minimised, without its weight: 1 is what knowing the mean of each channel gives. "
            "Softmax over inner products of random projections is nearly even: beside trained demo networks a position "
            "begins by looking effectively at 93 to 98 % of all others (sharp at 28 to 59 %). So CAAD begins by "
            "comparing the mean of a window with each of its positions, where queries and keys get little gradient, "
            "and nothing tells it that both networks' features of a place are at that place, which hints take for "
            "granted. Each row changes one thing. If it is the logits, caad-sharp (cosines times 16) is ahead; if the "
            "missing place, caad-placed (a position begins by giving itself three fifths of its attention); if it "
            "is the number of positions, caad-local (windows of 48) and caad-coarse (the lowest level alone, 48 "
            "positions); if it is the weight of the term (0.1), caad-strong (1), next to feature-strong; if a student "
            "at random has nothing to attend to, caad-slimmed, next to feature-slimmed. A distance that falls without "
            "CKA rising was earned by the projections and not by the student.",
        ),
        "start": Table(
            "Start: slimmed out of the teacher, or random",
            ("none", "none-slimmed", "output", "output-slimmed"),
            "output",
            ("output", "output-slimmed"),
            "our",
            "The same students and teacher as for distillation.",
        ),
    }
)
