"""All networks of a model learn together from the pictures they paint, and from nothing that sampling does not know."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lite_vton.model.networks import Networks, random_networks
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import encode_pairs
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.loop.fit import LoopConfig, step_generator
from lite_vton_training.trainers.painting import Painters, Painting, PaintingLoss, train_painting
from lite_vton_training.trainers.sampling import sample_latents

pytestmark = pytest.mark.slow

TINY = preset("tiny")
LOOP = LoopConfig(steps=60, batch_size=4, learning_rate=2e-3, warmup_steps=2, ema_decay=0.0)


def pairs(count: int, seed: int = 0) -> PicturePairs:
    """Smooth people, of whom the lower half is to be painted and the composite shows another brightness there."""
    rng = np.random.default_rng(seed)
    person = rng.integers(40, 216, (count, TINY.height // 8, TINY.width // 8, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    mask = np.zeros((count, TINY.height, TINY.width), np.uint8)
    mask[:, TINY.height // 2 :] = 1
    composite = np.where(mask[..., None] > 0, person - 40, person).astype(np.uint8)
    return PicturePairs(person, composite, np.zeros_like(person), mask)


def student_and_teacher() -> list[Networks]:
    student, teacher = (random_networks(preset(name)) for name in ("tiny", "tiny-teacher"))
    return [student, replace(teacher, autoencoder=student.autoencoder)]


def loss_of(pictures: PicturePairs, painting: Painting, batch_size: int = 4) -> PaintingLoss:
    return PaintingLoss([pictures], torch.ones(1), batch_size, painting)


@pytest.mark.parametrize("counts", [(1,), (4, 2)])
def test_every_weight_of_every_network_is_taught(counts: tuple[int, ...]) -> None:
    painters = Painters(student_and_teacher())
    for seed in range(3):
        terms = loss_of(pairs(4), Painting(counts=counts))(painters, step_generator(0, seed))
        torch.stack(list(terms.values())).sum().backward()
    assert set(terms) == {"pixels", "structure", "autoencoder"}
    idle = [name for name, each in painters.named_parameters() if each.grad is None or not each.grad.abs().sum() > 0]
    assert idle == []


def test_pictures_painted_inside_the_mask_come_nearer_to_the_people(tmp_path: Path) -> None:
    networks, pictures = student_and_teacher(), pairs(6)
    before = [_error(each, pictures) for each in networks]
    train_painting(networks, {"some": pictures}, LOOP, tmp_path / "run", Painting(counts=(4, 1)))
    for wrong, each in zip(before, networks, strict=True):
        assert _error(each, pictures) < 0.5 * wrong


def test_a_kind_without_a_share_is_never_shown(tmp_path: Path) -> None:
    black = PicturePairs(*(np.zeros_like(column) for column in list(vars(pairs(3)).values())[:4]))
    loop = replace(LOOP, steps=3)
    ends = []
    for kinds in ({"shown": pairs(4)}, {"shown": pairs(4), "black": black}):
        networks = student_and_teacher()
        train_painting(networks, kinds, loop, tmp_path / str(len(kinds)), Painting(shares={"shown": 1.0}))
        ends.append(networks[0].unet.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_the_person_is_the_answer_and_never_part_of_the_question() -> None:
    painters, pictures = Painters(student_and_teacher()).eval(), pairs(4)
    other = replace(pictures, person=pictures.person[::-1].copy())
    asked: list[list[torch.Tensor]] = [[], []]
    for shown, which in zip((pictures, other), asked, strict=True):
        hooks = [
            each.register_forward_pre_hook(lambda _, given, into=which: into.append(given[0]))
            for each in painters.denoisers.values()
        ]
        loss_of(shown, Painting(counts=(4,)))(painters, step_generator(0, 7))
        for hook in hooks:
            hook.remove()
    assert len(asked[0]) == len(asked[1]) > 0
    assert all(torch.equal(one, another) for one, another in zip(*asked, strict=True))


def test_a_stopped_run_ends_as_one_that_was_never_stopped(tmp_path: Path) -> None:
    loop = replace(LOOP, steps=4, checkpoint_every=2, ema_decay=0.9)
    whole, stopped = student_and_teacher(), student_and_teacher()
    kinds = {"some": pairs(4)}
    train_painting(whole, kinds, loop, tmp_path / "whole")

    def stop(step: int, _: dict[str, float]) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_painting(deepcopy(stopped), kinds, loop, tmp_path / "stopped", on_step=stop)
    train_painting(stopped, kinds, loop, tmp_path / "stopped", resume=True)
    for one, other in zip(whole, stopped, strict=True):
        state = other.unet.state_dict()
        assert all(torch.equal(tensor, state[name]) for name, tensor in one.unet.state_dict().items())


@torch.no_grad()
def _error(networks: Networks, pictures: PicturePairs) -> float:
    """Mean absolute error inside the mask of what is sampled as a try-on samples it, without detail."""
    painters = Painters([networks]).eval()
    denoiser = painters.denoisers[networks.config.name].eval()
    given = encode_pairs(pictures, networks.autoencoder.eval(), networks.latent_scale)
    painted = painters.decode(sample_latents(networks.config, denoiser, given))
    apart = (painted - torch.from_numpy(pictures.person).permute(0, 3, 1, 2) / 127.5 + 1).abs().mean(dim=1)
    return float(apart[torch.from_numpy(pictures.mask) > 0].mean())
