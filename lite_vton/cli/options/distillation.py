"""What a student learns from its teacher."""

from __future__ import annotations

from typing import Annotated

from lite_vton.cli.options.declaring import MOST, finite, grouped

__all__ = ["Counts", "Distillation", "FeatureWeight", "Init", "Method", "SimilarityEvery", "Teacher", "TruthWeight"]

_option = grouped("Distillation")

Teacher = Annotated[str, _option("--teacher", metavar="MODEL", names="preset", help="A preset with weights, or a run.")]
Distillation = Annotated[
    str,
    _option(
        "--distill",
        names="distillation",
        help="What the student copies: none, output, or output and feature, factor, relation, caad[-local|-sharp].",
    ),
]
Init = Annotated[
    str | None,
    _option(
        "--init", names="start", help="First weights: slim (the teacher's, cut down; default where it fits) or random."
    ),
]
FeatureWeight = Annotated[
    float,
    _option("--feature-weight", min=0.0, max=1e9, callback=finite, help="Weight of the term that compares features."),
]
SimilarityEvery = Annotated[
    int, _option("--similarity-every", min=0, max=MOST, help="Steps between rows of the log with CKA; 0: none.")
]
Counts = Annotated[
    str, _option("--counts", metavar="COUNTS", help="Numbers of sampling steps to train for, comma-separated: 4,2,1.")
]
Method = Annotated[
    str, _option("--method", names="way to few steps", help="trajectory, consistency, truth, or progressive.")
]
TruthWeight = Annotated[
    float,
    _option("--truth-weight", min=0.0, max=1e9, callback=finite, help="Weight of the loss against the ground truth."),
]
