"""Scores mean what their names say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from lite_vton.errors import UserError
from lite_vton_training.metrics import Backbones, Tally, haarpsi, masked_psnr, masked_ssim, psnr, repainted, ssim
from lite_vton_training.metrics.distribution import frechet_distance, kernel_distance
from lite_vton_training.metrics.inception import Inception
from lite_vton_training.metrics.lpips import Lpips

Weights = dict[str, torch.Tensor]


def noise(seed: int, height: int = 64, width: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def upper_half() -> np.ndarray:
    inside = np.zeros((64, 48), bool)
    inside[:32] = True
    return inside


def features(seed: int, pictures: int, shift: float = 0.0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(shift, 1, (pictures, 6)))


def test_psnr_counts_only_the_pixels_inside() -> None:
    target = np.full((8, 8, 3), 100, np.uint8)
    picture = target.copy()
    picture[:4] += 10
    picture[4:] = 255
    inside = np.zeros((8, 8), bool)
    inside[:4] = True
    assert masked_psnr(picture, target, inside) == pytest.approx(20 * np.log10(255 / 10))
    assert psnr(picture, target) == pytest.approx(10 * np.log10(255**2 / ((10**2 + 155**2) / 2)))


def test_equal_pictures_score_the_highest() -> None:
    assert masked_psnr(noise(0), noise(0), np.ones((64, 48), bool)) == 100
    assert ssim(noise(0), noise(0)) == pytest.approx(1.0, abs=1e-5)


def test_unrelated_pictures_have_no_structure_in_common() -> None:
    assert abs(ssim(noise(0), noise(1))) < 0.05


def test_ssim_inside_a_mask_looks_nowhere_else() -> None:
    picture = repainted(noise(0), noise(1), upper_half())
    far_from_the_border = np.roll(upper_half(), -6, axis=0)
    far_from_the_border[26:] = False
    assert masked_ssim(picture, noise(0), far_from_the_border) == pytest.approx(1.0, abs=1e-5)
    assert masked_ssim(picture, noise(0), ~upper_half()) < 0.2
    assert masked_ssim(noise(0), noise(1), np.ones((64, 48), bool)) == pytest.approx(ssim(noise(0), noise(1)), abs=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "unrelated", "noisy"),
    [
        (64, 48, 0.45505590257130657, 0.9570691080652944),
        (256, 192, 0.4053039588931078, 0.9426527314206475),
        (63, 47, 0.4798286615016878, 0.9594710731675966),
    ],
)
def test_haarpsi_gives_piqs_figures(height: int, width: int, unrelated: float, noisy: float) -> None:
    # Figures of piq 0.8.0's haarpsi of these very pictures, in double precision.
    first, second = (noise(seed, height, width) for seed in (0, 1))
    near = np.clip(first.astype(int) + second // 8 - 16, 0, 255).astype(np.uint8)
    assert haarpsi(first, second)[0] == pytest.approx(unrelated, rel=1e-9)
    assert haarpsi(near, first)[0] == pytest.approx(noisy, rel=1e-9)


def test_haarpsi_is_one_for_equal_pictures_and_falls_with_noise() -> None:
    smooth = np.full((64, 48, 3), 120, np.uint8)
    assert haarpsi(smooth, smooth, upper_half()) == pytest.approx((1, 1), abs=1e-9)
    assert haarpsi(0 * smooth, 0 * smooth, upper_half()) == pytest.approx((1, 1), abs=1e-9)
    found = [haarpsi((smooth + noise(0) // share).astype(np.uint8), smooth)[0] for share in (32, 8, 4)]
    assert 1 > found[0] > found[1] > found[2] > 0


def test_haarpsi_inside_a_mask_looks_nowhere_else() -> None:
    picture = repainted(noise(0), noise(1), upper_half())
    far_from_the_border = upper_half()
    far_from_the_border[22:] = False
    whole, above = haarpsi(picture, noise(0), far_from_the_border)
    _, below = haarpsi(picture, noise(0), ~upper_half())
    assert above == pytest.approx(1, abs=1e-9)
    assert below < whole < above
    everywhere = np.ones((64, 48), bool)
    assert haarpsi(picture, noise(0), everywhere) == pytest.approx((whole, whole))
    assert np.isnan(haarpsi(picture, noise(0), ~everywhere)[1])


def test_lpips_is_what_torchmetrics_computes_on_the_same_backbone(
    alexnet: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchmetrics.functional.image import lpips as reference

    ours = Lpips(alexnet)
    # Theirs takes its layers from torchvision, which need not be there; these are the same layers.
    monkeypatch.setattr(reference, "_get_tv_model_features", lambda *_: ours.features)
    theirs = reference._LPIPS(net="alex")
    a, b = (torch.from_numpy(noise(seed)).permute(2, 0, 1)[None].float() / 127.5 - 1 for seed in (0, 1))
    whole, inside = ours.distances(noise(0), noise(1), np.ones((64, 48), bool))
    assert whole == pytest.approx(float(theirs(a, b)), rel=1e-5)
    theirs.spatial = True
    assert inside == pytest.approx(float(theirs(a, b).mean()), rel=1e-5)


def test_lpips_of_equal_pictures_is_zero_and_grows_with_the_difference(alexnet: Weights) -> None:
    lpips = Lpips(alexnet)
    assert lpips.distances(noise(0), noise(0), upper_half()) == (0.0, 0.0)
    little = np.clip(noise(0).astype(int) + noise(1) // 8, 0, 255).astype(np.uint8)
    near, _ = lpips.distances(little, noise(0), None)
    far, _ = lpips.distances(noise(1), noise(0), None)
    assert 0 < near < far
    below = repainted(noise(0), noise(1), upper_half())
    _, above_the_change = lpips.distances(below, noise(0), np.roll(upper_half(), -24, axis=0) & upper_half())
    _, in_the_change = lpips.distances(below, noise(0), ~upper_half())
    assert above_the_change < in_the_change


@pytest.mark.slow
def test_inception_answers_as_the_network_that_fid_is_defined_by(inception: Weights) -> None:
    # Figures of torch-fidelity 0.4.0's network with these very weights and picture.
    expected = (0.8933737874, 11.93765354, 0.5285483599, 0.7166258693, 0.0, 14.95311737)
    (found,) = Inception(inception).features([noise(1, 299, 299)])
    assert found.shape == (2048,)
    assert found[:6].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.slow
def test_weights_of_another_network_are_refused(alexnet: Weights, inception: Weights) -> None:
    with pytest.raises(UserError, match=r"not the weights of FID's Inception .*Conv2d_1a_3x3"):
        Inception(alexnet)
    with pytest.raises(UserError, match="1000 classes instead of 1008"):
        Inception(inception | {"fc.weight": torch.zeros(1000, 2048)})
    with pytest.raises(UserError, match="not the weights of torchvision's AlexNet"):
        Lpips(inception)


def test_fid_is_the_distance_of_two_gaussians_worked_out_by_hand() -> None:
    # One feature: FID is the squared difference of the means plus that of the standard deviations.
    real, made = torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [7.0]])
    assert frechet_distance(real, made) == pytest.approx(4**2 + (8**0.5 - 2**0.5) ** 2)


@pytest.mark.parametrize("pictures", [4, 40])
def test_fid_is_torchmetrics_with_more_and_with_fewer_pictures_than_features(pictures: int) -> None:
    real, made = features(0, pictures), features(1, 50, shift=0.5)
    identity: Any = torch.nn.Identity()
    identity.num_features = 6
    reference = FrechetInceptionDistance(identity).set_dtype(torch.float64)
    reference.update(real, real=True)
    reference.update(made, real=False)
    assert frechet_distance(real, made) == pytest.approx(float(reference.compute()), rel=1e-6)


def test_the_same_set_is_at_no_distance() -> None:
    assert frechet_distance(features(0, 40), features(0, 40)) == pytest.approx(0, abs=1e-9)
    same = kernel_distance(features(0, 400), features(0, 400))
    shifted = kernel_distance(features(0, 400), features(1, 400, shift=1))
    assert abs(same.mean) < 0.02 * shifted.mean


def test_kid_is_a_thousand_times_the_unbiased_mmd_and_leaves_random_numbers_alone() -> None:
    real, made = features(0, 30), features(1, 30, shift=0.5)

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a @ b.T / 6 + 1) ** 3

    def off_diagonal(square: torch.Tensor) -> float:
        return float((square.sum() - square.trace()) / (30 * 29))

    expected = off_diagonal(kernel(real, real)) + off_diagonal(kernel(made, made)) - 2 * kernel(real, made).mean()
    torch.manual_seed(5)
    kid = kernel_distance(real, made)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    assert kid.mean == pytest.approx(1000 * float(expected), rel=1e-9)
    assert kid.deviation == pytest.approx(0, abs=1e-6), "every subset is the whole set"


def test_a_tally_tells_whole_from_masked_and_raw_from_repainted() -> None:
    tally = Tally(Backbones())
    target, painted = noise(0), noise(0)
    painted[:32] = np.where(target[:32] > 127, target[:32] - 10, target[:32] + 10)
    painted[32:] = noise(1)[32:]
    tally.add(painted, target, upper_half())
    scores = tally.scores()
    assert scores.repainted.masked is not None
    assert scores.repainted.whole is not None
    assert scores.raw.whole is not None
    assert scores.psnr_in_mask == scores.repainted.masked.psnr == pytest.approx(20 * np.log10(25.5))
    assert scores.repainted.whole.psnr == pytest.approx(scores.psnr_in_mask + 10 * np.log10(2))
    assert scores.raw.whole.psnr < scores.psnr_in_mask
    assert scores.ssim == scores.repainted.whole.ssim > scores.raw.whole.ssim
    assert scores.repainted.whole.haarpsi > scores.raw.whole.haarpsi
    assert scores.repainted.masked.haarpsi < scores.repainted.whole.haarpsi < 1
    assert (scores.repainted.whole.lpips, scores.repainted.fid, scores.repainted.kid) == (None, None, None)


@pytest.mark.slow
def test_the_backbones_figures_come_with_the_backbones(alexnet: Weights, inception: Weights) -> None:
    backbones = Backbones(Lpips(alexnet), Inception(inception))
    assert backbones.inception is not None
    paired, unpaired = Tally(backbones), Tally(backbones, paired=False)
    people = [noise(seed) for seed in range(2)]
    for person in people:
        paired.add(person, person, upper_half())
        unpaired.add(person[::-1].copy(), person, upper_half())
    real = [backbones.inception.features([person]) for person in people]
    same, other = paired.scores(real).raw, unpaired.scores(real)
    assert same.whole is not None
    assert same.whole.lpips == 0
    assert same.fid == pytest.approx(0, abs=1e-6)
    assert other.raw.whole is None
    assert np.isnan(other.psnr_in_mask)
    assert other.raw.fid is not None
    assert other.repainted.fid is not None
    assert other.raw.fid > other.repainted.fid > 0, "the half that is the person's own brings the pictures nearer"
