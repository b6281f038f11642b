"""A student's first answer, next to its teacher's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.importing.networks import import_networks
from lite_vton.model.unet import build_unet
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset
from lite_vton_training.distillation.slimming import slim
from lite_vton_training.distillation.starts import first_answer
from tests.lite_vton.model.their_checkpoints import (
    PLAIN,
    TOKENS,
    catvton,
    paint_by_example,
    pipeline,
    their_unet,
    write,
)

NARROW = replace(PLAIN, unet=replace(PLAIN.unet, channels=(8, 8), mid_block=False))


def imported(kind: str, folder: Path) -> Denoiser:
    """A teacher out of CatVTON's or DCI-VTON's checkpoint."""
    base = their_unet(9)
    if kind == "CatVTON":
        catvton(base, folder / "attention")
        source = pipeline(folder / "source", base)
        networks = import_networks(source, PLAIN, layout="inpainting", attention=folder / "attention").networks
    else:
        source = write(paint_by_example(base, TOKENS[:1, :1]), folder / "viton512.safetensors")
        networks = import_networks(source, PLAIN).networks
    return Denoiser(PLAIN, networks.unet)


def student_of(teacher: Denoiser, config: ModelConfig) -> Denoiser:
    unet = build_unet(config)
    slim(teacher.unet, unet)  # type: ignore[arg-type]
    return Denoiser(config, unet)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["CatVTON", "DCI-VTON"])
def test_a_student_as_large_as_an_imported_teacher_answers_as_it(kind: str, tmp_path: Path) -> None:
    teacher = imported(kind, tmp_path)
    found = first_answer(teacher, student_of(teacher, PLAIN))
    assert found.same_shape
    assert found.is_equal
    assert str(found) == "its first answer is its teacher's"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["CatVTON", "DCI-VTON"])
def test_how_far_a_smaller_student_is_off_is_a_figure(kind: str, tmp_path: Path) -> None:
    teacher = imported(kind, tmp_path)
    found = first_answer(teacher, student_of(teacher, NARROW))
    assert not found.same_shape
    assert 0 < found.difference < 10 * found.answer
    assert f"off by {found.difference:.3g} where its teacher's is {found.answer:.3g}" in str(found)


def _edge_at_zero(unet: nn.Module) -> None:
    unet.conv_in.beyond.zero_()  # type: ignore[operator,union-attr]


def _no_skip(unet: nn.Module) -> None:
    for name, weight in unet.named_parameters():
        if "transformer_blocks" in name and "norm2" in name:
            nn.init.zeros_(weight)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "lose"), [("CatVTON", _no_skip), ("DCI-VTON", _edge_at_zero)])
def test_a_layer_lost_on_the_way_is_refused_with_the_figure(kind: str, lose: object, tmp_path: Path) -> None:
    teacher = imported(kind, tmp_path)
    student = student_of(teacher, PLAIN)
    assert callable(lose)
    lose(student.unet)
    with pytest.raises(UserError, match=r"has its teacher's shape, but its first answer is off by 0\.\d+"):
        first_answer(teacher, student)


def test_the_question_is_always_the_same_and_leaves_chance_alone() -> None:
    teacher = Denoiser(preset("tiny-teacher"), build_unet(preset("tiny-teacher")))
    student = student_of(teacher, preset("tiny"))
    before = torch.get_rng_state()
    assert first_answer(teacher, student) == first_answer(teacher, student)
    assert torch.equal(torch.get_rng_state(), before)
    assert student.training


def test_a_teacher_with_tokens_is_compared_with_a_student_that_reads_none() -> None:
    teacher = Denoiser(preset("tiny-clip"), build_unet(preset("tiny-clip")))
    found = first_answer(teacher, student_of(teacher, PLAIN))
    assert not found.same_shape
    assert found.difference > 0
