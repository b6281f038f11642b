"""How long and how fast a network is trained."""

from __future__ import annotations

from typing import Annotated

from lite_vton.cli.options.declaring import LARGEST_SEED, MOST, finite, grouped

__all__ = ["Accumulation", "Batch", "Bf16", "GradientCheckpointing", "LearningRate", "TrainingSeed", "TrainingSteps"]

_option = grouped("Training")

TrainingSteps = Annotated[int, _option("--steps", min=1, max=MOST, help="Training steps of each network.")]
Batch = Annotated[int, _option("--batch-size", min=1, max=100_000, help="Pairs per step.")]
LearningRate = Annotated[
    float, _option("--learning-rate", min=0.0, max=1000.0, callback=finite, help="Peak of the cosine schedule.")
]
TrainingSeed = Annotated[
    int, _option("--seed", min=0, max=LARGEST_SEED, help="Random seed of weights, batches and noise.")
]
Bf16 = Annotated[bool, _option("--bf16", help="Compute in bfloat16; weights stay float32.")]
Accumulation = Annotated[
    int, _option("--accumulation", min=1, max=100_000, help="Parts a batch of the U-Net is computed in.")
]
GradientCheckpointing = Annotated[
    bool, _option("--gradient-checkpointing", help="Less memory, more time: compute activations twice.")
]
