"""What a student begins with: random weights, or those of its teacher that fit into it, and what it then answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import UNet2DConditionModel

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.unet import build_unet
from lite_vton.presets.config import ModelConfig
from lite_vton_training.distillation.slimming import slim

__all__ = ["FirstAnswer", "Start", "first_answer", "starting_unet"]

Start = Literal["random", "slimmed"]

_EQUAL = 1e-4
"""Share of an answer that two orders of summing the same numbers may differ by, and no missing layer does."""

_PROBE_TIMESTEPS = (99, 499)
"""One where little noise is left and one where much is: timesteps at which first answers are compared."""


@dataclass(frozen=True)
class FirstAnswer:
    """How far a student's answer lies from its teacher's before any training, as root mean squares of epsilon.

    `difference` is of the two answers' difference, `answer` of the teacher's. `same_shape` says whether both networks
    are built alike, so that the answers have to be equal.
    """

    difference: float
    answer: float
    same_shape: bool

    @property
    def is_equal(self) -> bool:
        """Whether the student answers as its teacher does."""
        return self.difference <= _EQUAL * self.answer

    def __str__(self) -> str:
        """As the command line says it."""
        if self.is_equal:
            return "its first answer is its teacher's"
        return (
            f"its first answer is off by {self.difference:.3g} where its teacher's is {self.answer:.3g} "
            "(root mean squares)"
        )


def starting_unet(
    start: Start, config: ModelConfig, teacher: Denoiser | None, seed: int
) -> UNet2DConditionModel | None:
    """The U-Net `lite_vton_training.trainers.denoiser.train_denoiser` goes on from; None leaves the random weights to
    it.

    `slimmed` takes a teacher. What slimming has no weight for is drawn with `seed`.
    """
    if start == "random":
        return None
    assert teacher is not None
    assert isinstance(teacher.unet, UNet2DConditionModel)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = build_unet(config)
    slim(teacher.unet, student)
    return student


@torch.no_grad()
def first_answer(teacher: Denoiser, student: Denoiser) -> FirstAnswer:
    """Ask both the same: random latents, a mask that ends inside the picture, tokens where they are read.

    Always the same questions for the same presets; the caller's random state is left alone. Both have to be told of
    latents of the same size. Raises `UserError` where networks that are built alike answer differently: then slimming
    has lost a layer, and training would hide it.
    """
    drawn = torch.Generator().manual_seed(0)
    shape = (len(_PROBE_TIMESTEPS), *teacher.config.latent_shape[1:])
    names = sorted({name for each in (teacher, student) for name in each.config.unet.conditions})
    conditions = {name: torch.randn(shape, generator=drawn) for name in names}
    height, width = shape[2:]
    conditions["mask"] = torch.zeros(shape[0], 1, height, width)
    conditions["mask"][..., height // 4 :, width // 4 : -(width // 4)] = 1
    widths = sorted({each.config.unet.cross_attention or 0 for each in (teacher, student)})
    tokens = {width: torch.randn(shape[0], 4, width, generator=drawn) for width in widths if width}
    theirs, ours = (_answer(each, conditions, tokens) for each in (teacher, student))
    shapes = [{name: weight.shape for name, weight in each.unet.state_dict().items()} for each in (teacher, student)]
    alike = teacher.config.unet == student.config.unet and shapes[0] == shapes[1]
    found = FirstAnswer(_root_mean_square(ours - theirs), _root_mean_square(theirs), alike)
    if alike and not found.is_equal:
        raise UserError(f"the student has its teacher's shape, but {found}: start at random (--init random)")
    return found


def _answer(network: Denoiser, conditions: dict[str, torch.Tensor], tokens: dict[int, torch.Tensor]) -> torch.Tensor:
    sample = torch.cat([conditions[name] for name in network.config.unet.conditions], dim=1)
    read = tokens.get(network.config.unet.cross_attention or 0)
    training = network.training
    eps: torch.Tensor = network.eval()(sample, torch.tensor(_PROBE_TIMESTEPS), read)
    network.train(training)
    return eps


def _root_mean_square(values: torch.Tensor) -> float:
    return float(values.double().square().mean().sqrt())
