"""A slimmed student computes what is left of its teacher, and all of its weights come from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel

from lite_vton.errors import UserError
from lite_vton.model.unet import adapt, build_unet
from lite_vton.presets.config import UNetConfig
from lite_vton.presets.table import preset
from lite_vton_training.distillation.slimming import kept_channels, slim, slimmed_state

SMALL = UNetConfig(
    channels=(16, 32), layers_per_block=(1, 1), attention=(False, True), attention_heads=2, norm_groups=8
)


def unet_of(shape: UNetConfig) -> UNet2DConditionModel:
    return build_unet(replace(preset("tiny"), unet=shape))


def random_unet(config: UNetConfig, seed: int) -> UNet2DConditionModel:
    """In float64, where two ways to the same sum do not differ by what norms then blow up."""
    torch.manual_seed(seed)
    unet: UNet2DConditionModel = unet_of(config).double().eval()
    for parameter in unet.parameters():  # biases and norms too: as initialised they hide mistakes
        torch.nn.init.normal_(parameter, 0.2, 0.2)
    return unet


def answers(unet: UNet2DConditionModel) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    sample = torch.randn((2, 13, 8, 8), generator=generator, dtype=torch.float64)
    with torch.no_grad():
        out: torch.Tensor = unet(sample, torch.tensor([3, 500]), None, return_dict=False)[0]
    return out


def without_timestep(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """First widths differ here, and with them frequencies: those have a test of their own."""
    torch.nn.init.zeros_(unet.time_embedding.linear_1.weight)
    return unet


@pytest.mark.slow
def test_the_same_configuration_gives_the_same_network() -> None:
    config = replace(SMALL, layers_per_block=(2, 2), mid_block=True)
    teacher, student = random_unet(config, 0), random_unet(config, 1)
    slim(teacher, student)
    for name, weight in student.state_dict().items():
        assert torch.equal(weight, teacher.state_dict()[name]), name
    assert torch.equal(answers(student), answers(teacher))


def test_channels_that_nothing_reads_can_go() -> None:
    """A teacher twice as wide, each channel followed by a copy that norms see but nothing reads (as in Net2Net,
    arXiv:1511.05641), is its student: in residuals, skips, attention, feed-forward and time embedding."""
    source = without_timestep(random_unet(SMALL, 0))
    teacher = random_unet(replace(SMALL, channels=(32, 64)), 1)
    teacher.load_state_dict(
        {name: twice_as_wide(name, source.state_dict()[name], old) for name, old in teacher.state_dict().items()}
    )
    assert torch.allclose(answers(teacher), answers(source), atol=1e-6)
    student = random_unet(SMALL, 2)
    slim(teacher, student)
    assert torch.allclose(answers(student), answers(teacher), atol=1e-6)


def twice_as_wide(name: str, weight: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
    # Copies would count in the logits; inside the feed-forward no norm asks for them.
    alone = name.endswith(("to_q.weight", "to_k.weight", "ff.net.0.proj.weight"))
    if old.shape[0] == 2 * weight.shape[0]:
        weight = weight.repeat_interleave(2, dim=0)
        if alone:
            weight[1::2] = 0
    if name.endswith("to_q.weight"):
        weight = weight * 2**0.5
    if weight.ndim > 1 and old.shape[1] == 2 * weight.shape[1]:
        weight = weight.repeat_interleave(2, dim=1)
        weight[:, 1::2] = 0
    assert weight.shape == old.shape
    return weight


def test_groups_of_zeros_go_whole() -> None:
    """Groups of one size on both sides: dropping those that are all zero changes nothing, wherever they are."""
    narrow = replace(SMALL, channels=(24, 48), norm_groups=6, attention=(False, False))
    source = without_timestep(random_unet(narrow, 0))
    teacher = random_unet(replace(narrow, channels=(32, 64), norm_groups=8), 1)
    with torch.no_grad():
        for name, parameter in teacher.named_parameters():
            weight = source.state_dict()[name]
            parameter.zero_()
            place = (among_zeros(name, dim, size) for dim, size in enumerate(weight.shape[:2]))
            parameter[torch.meshgrid(*place, indexing="ij")] = weight
    assert torch.allclose(answers(teacher), answers(source), atol=1e-6)
    student = random_unet(narrow, 2)
    slim(teacher, student)
    assert torch.allclose(answers(student), answers(teacher), atol=1e-6)


def among_zeros(name: str, dim: int, size: int) -> torch.Tensor:
    """Level 1 keeps the first 48 of 64 channels, level 0 the last 24 of 32: whole groups, in every concatenation."""
    top, bottom = torch.arange(8, 32), torch.arange(48)
    read = dim == 1 or name.partition(".")[2].endswith(("norm1.weight", "norm1.bias"))
    if size == 48 and read and name.startswith("up_blocks.1.resnets.1.") and "conv2" not in name:
        return torch.cat([top, 32 + top])
    placed: dict[int, Callable[[], torch.Tensor]] = {
        24: lambda: torch.arange(24) if name.startswith("time_embedding.linear_1") else top,
        48: lambda: bottom,
        72: lambda: torch.cat([bottom, 64 + top]),
        96: lambda: (
            torch.cat([bottom, 64 + bottom])
            if name.startswith("up_blocks") and "time" not in name
            else torch.arange(96)
        ),
    }
    return placed.get(size, lambda: torch.arange(size))()


@pytest.mark.slow
@pytest.mark.parametrize(("teacher", "student"), [("demo-teacher", "demo"), ("tiny-teacher", "tiny")])
def test_every_weight_of_a_preset_is_set(teacher: str, student: str) -> None:
    taught, made = (random_unet(preset(name).unet, 0) for name in (teacher, student))
    for parameter in made.parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    slim(taught, made)
    assert all(parameter.isfinite().all() for parameter in made.parameters())
    assert answers(made).isfinite().all()


@pytest.mark.slow
def test_a_full_size_student_has_room_for_what_is_kept() -> None:
    wide = UNetConfig(
        channels=(320, 640, 1280, 1280),
        layers_per_block=(2, 2, 2, 2),
        attention=(True, True, True, False),
        mid_block=True,
        attention_heads=8,
        norm_groups=32,
    )
    narrow = replace(
        wide,
        channels=(320, 384, 640, 704),
        layers_per_block=(1, 2, 2, 2),
        attention=(False, False, True, False),
        mid_block=False,
    )
    with torch.device("meta"):
        teacher, student = unet_of(wide), unet_of(narrow)
    state = slimmed_state(teacher, student)
    assert {name: tuple(weight.shape) for name, weight in state.items()} == {
        name: tuple(weight.shape) for name, weight in student.state_dict().items()
    }
    kept = kept_channels(teacher, student)
    assert set(kept["level2"].tolist()) < set(kept["level3"].tolist())
    groups = kept["level1"].div(640 // 32, rounding_mode="floor").bincount()
    assert groups.tolist() == [384 // 32] * 32


def test_levels_added_up_keep_the_same_channels() -> None:
    config = replace(SMALL, channels=(16, 32, 32), layers_per_block=(1, 1, 1), attention=(False, False, False))
    teacher = random_unet(config, 0)
    kept = kept_channels(teacher, random_unet(replace(config, channels=(16, 24, 16)), 1))
    assert set(kept["level2"].tolist()) < set(kept["level1"].tolist())

    student = random_unet(replace(config, channels=(16, 24, 16)), 1)
    slim(teacher, student)
    shortcut = student.down_blocks[2].resnets[0].conv_shortcut
    assert torch.equal(kept["level1"][shortcut.weight[:, :, 0, 0].argmax(dim=1)], kept["level2"])
    assert shortcut.weight.sum() == 16


def test_the_strongest_of_each_group_are_kept() -> None:
    teacher = random_unet(SMALL, 0)
    with torch.no_grad():
        teacher.conv_in.weight[1::2] *= 100  # one channel of each group of two
    kept = kept_channels(teacher, random_unet(replace(SMALL, channels=(8, 32)), 1))
    assert kept["level0"].tolist() == list(range(1, 16, 2))


def test_of_a_levels_blocks_the_first_and_the_last_survive() -> None:
    teacher = random_unet(replace(SMALL, layers_per_block=(2, 2)), 0)
    student = random_unet(SMALL, 1)
    slim(teacher, student)
    for mine, theirs in ((0, 0), (1, 2)):
        ours, whole = student.up_blocks[0].resnets[mine], teacher.up_blocks[0].resnets[theirs]
        assert torch.equal(ours.conv1.weight, whole.conv1.weight)
    assert torch.equal(student.down_blocks[1].resnets[0].conv1.weight, teacher.down_blocks[1].resnets[0].conv1.weight)


def test_a_smooth_time_embedding_survives_other_frequencies() -> None:
    teacher = random_unet(replace(SMALL, channels=(32, 64)), 0)
    with torch.no_grad():  # slow sines alone; fast ones cannot be made of others
        slow = torch.arange(32) % 16 >= 9
        teacher.time_embedding.linear_1.weight *= slow
    student = random_unet(SMALL, 1)
    slim(teacher, student)
    rows = kept_channels(teacher, student)["time.inner"]
    timestep = torch.arange(0, 1000, 7)
    with torch.no_grad():
        wanted = teacher.time_embedding.linear_1(teacher.time_proj(timestep).double())[:, rows]
        given = student.time_embedding.linear_1(student.time_proj(timestep).double())
    assert (given - wanted).square().mean() < 0.01 * wanted.var(dim=0).mean()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"channels": (16, 48)}, "wider"),
        ({"layers_per_block": (1, 2)}, "more blocks"),
        ({"mid_block": True}, "middle"),
        ({"attention": (True, True)}, "more attention"),
        ({"conditions": ("noisy_latent", "mask")}, "other inputs"),
        ({"channels": (16, 32, 32), "layers_per_block": (1, 1, 1), "attention": (False, True, True)}, "levels"),
    ],
)
def test_a_student_with_more_than_its_teacher_is_refused(change: dict[str, object], said: str) -> None:
    teacher, student = unet_of(SMALL), unet_of(replace(SMALL, **change))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=said):
        slim(teacher, student)


def imported(shape: UNetConfig, seed: int) -> UNet2DConditionModel:
    """A teacher with the layers of CatVTON's skip and of an inverted mask's edge."""
    teacher = random_unet(shape, seed)
    norms = [name for name in teacher.state_dict() if "transformer_blocks" in name and ".norm3." in name]
    adapt(teacher, ["conv_in.beyond", *(name.replace("norm3", "norm2") for name in norms)])
    for name, weight in teacher.state_dict().items():
        if "norm2" in name or "beyond" in name:
            torch.nn.init.normal_(weight, 0.5, 0.5)
    return teacher


def test_what_only_imported_teachers_have_is_the_students_too() -> None:
    teacher, student = imported(SMALL, seed=1), random_unet(SMALL, seed=2)
    slim(teacher, student)
    assert student.state_dict().keys() == teacher.state_dict().keys()
    assert all(torch.equal(student.state_dict()[name], weight) for name, weight in teacher.state_dict().items())
    assert torch.equal(answers(student), answers(teacher))


def test_a_smaller_student_of_an_imported_teacher_keeps_its_layers_and_their_channels() -> None:
    teacher = imported(replace(SMALL, channels=(32, 64), layers_per_block=(2, 2)), seed=1)
    student = random_unet(SMALL, seed=2)
    slim(teacher, student)
    kept = kept_channels(teacher, student)
    assert torch.equal(student.conv_in.beyond, teacher.conv_in.beyond)
    for mine, theirs in ((0, 0), (1, 2)):
        prefix = "up_blocks.0.attentions.{}.transformer_blocks.0.norm2.weight"
        weight = teacher.state_dict()[prefix.format(theirs)]
        stream = kept[f"up_blocks.0.attentions.{mine}/stream"]
        assert torch.equal(student.state_dict()[prefix.format(mine)], weight[stream])


def test_a_student_without_a_middle_or_its_attention_gets_no_layer_for_it() -> None:
    teacher = imported(replace(SMALL, mid_block=True, attention=(True, True)), seed=1)
    student = random_unet(SMALL, seed=2)
    slim(teacher, student)
    assert sum("norm2" in name and "transformer" in name for name in student.state_dict()) == 2 * 3
