"""Networks train with CLIP's tokens of the garment, with the pose or without, each told what its own preset says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.image_encoder import ImageEncoder
from lite_vton.model.networks import Networks, random_networks
from lite_vton.model.unet import build_unet
from lite_vton.presets.conditioning import COMPONENTS_OF_PAPER
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import LatentPairs, encode_pairs, to_tensor
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.loop.fit import BatchLoss, LoopConfig
from lite_vton_training.trainers.autoencoder import reconstruction_terms
from lite_vton_training.trainers.denoiser import train_denoiser
from lite_vton_training.trainers.losses import DISTILLATIONS, LossConfig
from lite_vton_training.trainers.noise_loss import NoiseLoss
from lite_vton_training.trainers.sampling import sample_latents

CLIP, KL = preset("tiny-clip"), preset("tiny-kl")
BLIND = COMPONENTS_OF_PAPER["A+B"].applied_to(KL)
LOOP = LoopConfig(steps=5, batch_size=4, learning_rate=1e-3, warmup_steps=1, checkpoint_every=2)


class Killed(BaseException):
    """Stands for the signal that ends the process."""


@pytest.fixture(scope="module")
def networks() -> Networks:
    return random_networks(CLIP, seed=3)


@pytest.fixture(scope="module")
def pictures() -> PicturePairs:
    draw, size = np.random.default_rng(0), (6, CLIP.height, CLIP.width)
    person, masked, pose = draw.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    garment = draw.integers(0, 256, (6, 224, 224, 3), dtype=np.uint8)
    return PicturePairs(person, masked, pose, draw.integers(0, 2, size, dtype=np.uint8), garment)


@pytest.fixture(scope="module")
def pairs(networks: Networks, pictures: PicturePairs) -> LatentPairs:
    return encode_pairs(pictures, networks.autoencoder, networks.latent_scale, 4, image_encoder=networks.image_encoder)


def random_denoiser(config: ModelConfig) -> Denoiser:
    torch.manual_seed(1)
    return Denoiser(config, build_unet(config)).eval()


def test_tokens_are_the_towers_to_half_precision(
    networks: Networks, pictures: PicturePairs, pairs: LatentPairs
) -> None:
    assert networks.image_encoder is not None
    with torch.no_grad():
        wanted = ImageEncoder(networks.image_encoder)(to_tensor(pictures.garment))
    assert pairs.tokens is not None
    assert pairs.tokens.dtype == torch.float16
    assert torch.allclose(pairs.tokens.float(), wanted, rtol=1e-3, atol=1e-3)
    assert torch.equal(pairs.batch(torch.tensor([4, 1])).part(slice(1, 2)).tokens[0], pairs.tokens[1])  # type: ignore[index]


def test_pairs_show_a_network_what_its_preset_names(pairs: LatentPairs) -> None:
    x_t = torch.zeros_like(pairs.x_0)
    sample, tokens = pairs.model_input(CLIP.unet, x_t)
    assert torch.equal(sample, torch.cat([x_t, pairs.mask, pairs.masked_person, pairs.pose], dim=1))
    assert tokens is not None
    assert tokens.dtype == torch.float32
    sample, tokens = pairs.model_input(BLIND.unet, x_t)
    assert torch.equal(sample, torch.cat([x_t, pairs.mask, pairs.masked_person], dim=1))
    assert tokens is None
    with pytest.raises(ValueError, match="attends to tokens"):
        replace(pairs, tokens=None).model_input(CLIP.unet, x_t)


def test_pictures_without_garments_give_no_tokens(networks: Networks, pictures: PicturePairs) -> None:
    bare = PicturePairs(pictures.person, pictures.masked_person, pictures.pose, pictures.mask)
    assert encode_pairs(bare, networks.autoencoder, 1.0).tokens is None
    with pytest.raises(ValueError, match="hold no garments"):
        encode_pairs(bare, networks.autoencoder, 1.0, image_encoder=networks.image_encoder)


@pytest.mark.slow
def test_a_killed_run_with_tokens_goes_on_to_the_same_bits(pairs: LatentPairs, tmp_path: Path) -> None:
    def run(name: str, last: int | None = None, *, resume: bool = False) -> list[torch.Tensor]:
        def on_step(step: int, _: dict[str, float]) -> None:
            if step == last:
                raise Killed

        unet = train_denoiser(CLIP, pairs, LOOP, tmp_path / name, resume=resume, on_step=on_step)
        return list(unet.parameters())

    whole = run("whole")
    with pytest.raises(Killed):
        run("cut", 3)
    for a, b in zip(whole, run("cut", resume=True), strict=True):
        assert torch.equal(a, b)


def test_sample_pictures_are_painted_with_the_tokens(pairs: LatentPairs) -> None:
    assert pairs.tokens is not None
    shown = pairs.part(slice(0, 2))
    denoiser = random_denoiser(CLIP)
    one, other = (
        sample_latents(CLIP, denoiser, replace(shown, tokens=tokens)) for tokens in (shown.tokens, pairs.tokens[2:4])
    )
    assert one.shape == shown.x_0.shape
    assert not torch.equal(one, other)


@pytest.mark.slow
def test_the_cross_attention_learns(pairs: LatentPairs, tmp_path: Path) -> None:
    """Every weight that reads a token moves, so tokens are really in what is minimised."""
    start = build_unet(CLIP)
    before = {name: weight.clone() for name, weight in start.state_dict().items()}
    after = train_denoiser(
        CLIP, pairs, replace(LOOP, ema_decay=0.0, weight_decay=0.0), tmp_path, start=start
    ).state_dict()
    reading = [name for name in before if ".attn2.to_k" in name or ".attn2.to_v" in name]
    assert reading
    assert not any(torch.equal(before[name], after[name]) for name in reading)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["output", "caad"])
@pytest.mark.parametrize(
    ("student", "teacher"), [(KL, CLIP), (CLIP, KL), (BLIND, CLIP), (KL, BLIND)], ids=lambda config: config.name
)
def test_student_and_teacher_are_each_told_what_they_know(
    kind: str, student: ModelConfig, teacher: ModelConfig, pairs: LatentPairs, tmp_path: Path
) -> None:
    seen: list[dict[str, float]] = []
    train_denoiser(
        student,
        pairs,
        replace(LOOP, steps=2),
        tmp_path,
        distill=kind,
        teacher=random_denoiser(teacher),
        losses=LossConfig(similarity_every=1),
        on_step=lambda _, terms: seen.append(terms),
    )
    assert [set(terms) for terms in seen] == 2 * [set(DISTILLATIONS[kind].terms)]
    assert all(np.isfinite(value) and value > 0 for terms in seen for value in terms.values())


def test_what_a_teacher_says_depends_on_the_tokens_of_its_pair(pairs: LatentPairs) -> None:
    """The student has none, so only the term on the teacher's answer can change with them."""
    assert pairs.tokens is not None
    other = replace(pairs, tokens=-pairs.tokens)
    student, teacher, alpha_bar = random_denoiser(KL), random_denoiser(CLIP), torch.linspace(0.9, 0.3, 600)
    terms = [
        NoiseLoss(given, alpha_bar, 4, KL.unet, DISTILLATIONS["output"], LossConfig(), teacher)(
            student, torch.Generator().manual_seed(0)
        )
        for given in (pairs, other)
    ]
    assert torch.equal(terms[0]["noise"], terms[1]["noise"])
    assert not torch.equal(terms[0]["output"], terms[1]["output"])


def test_a_run_is_not_resumed_with_other_switches(pairs: LatentPairs, tmp_path: Path) -> None:
    short = replace(LOOP, steps=1)
    train_denoiser(KL, pairs, short, tmp_path)
    with pytest.raises(UserError, match="begun with other settings"):
        train_denoiser(BLIND, pairs, short, tmp_path, resume=True)


def test_a_loss_that_can_be_shared_is_known_by_what_it_can_do(pairs: LatentPairs) -> None:
    loss = NoiseLoss(pairs, torch.ones(1), 4, KL.unet, DISTILLATIONS["none"], LossConfig(), None)
    assert isinstance(loss, BatchLoss)
    assert not isinstance(reconstruction_terms, BatchLoss)
