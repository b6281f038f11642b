"""What compares features: each kind against its paper's formula, and what it must not depend on."""

from __future__ import annotations

import math

import pytest
import torch

from lite_vton.errors import UserError
from lite_vton_training.distillation.alignment import (
    Factors,
    Hints,
    Relations,
    _distances,
    _gram,
    factor_distance,
    relation_angle,
    relation_distance,
    standardised,
)
from lite_vton_training.distillation.cross_attention import CrossAttentionAlignment, square_distances, windows

STUDENT, TEACHER = {"down0": 6, "up0": 4}, {"down0": 10, "up0": 8}
KINDS = (Hints, Factors, Relations, CrossAttentionAlignment)


def features(widths: dict[str, int], seed: int, scale: float = 1.0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {tap: scale * torch.randn(4, width, 6, 4, generator=generator) for tap, width in widths.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_distance_depends_neither_on_the_size_nor_on_the_offset_of_the_teachers_channels(kind: type) -> None:
    torch.manual_seed(0)
    alignment = kind(STUDENT, TEACHER)
    student, teacher = features(STUDENT, 1), features(TEACHER, 2)
    other = {tap: 50 * feature + 7 for tap, feature in teacher.items()}
    assert torch.allclose(alignment(student, teacher), alignment(student, other), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_student_learns_from_a_distance(kind: type) -> None:
    torch.manual_seed(0)
    student, teacher = features(STUDENT, 1), features(TEACHER, 2)
    for feature in (*student.values(), *teacher.values()):
        feature.requires_grad_()
    kind(STUDENT, TEACHER)(student, teacher).backward()
    assert all(feature.grad is not None and feature.grad.abs().sum() > 0 for feature in student.values())
    assert all(feature.grad is None for feature in teacher.values())


@pytest.mark.parametrize("kind", KINDS)
def test_following_the_slope_brings_features_nearer(kind: type) -> None:
    torch.manual_seed(0)
    alignment = kind(STUDENT, TEACHER)
    student, teacher = features(STUDENT, 1), features(TEACHER, 2)
    leaves = [feature.requires_grad_() for feature in student.values()]
    optimizer = torch.optim.Adam([*leaves, *alignment.parameters()], lr=0.02)
    first = alignment(student, teacher).item()
    for _ in range(30):
        optimizer.zero_grad()
        alignment(student, teacher).backward()
        optimizer.step()
    assert alignment(student, teacher).item() < 0.9 * first


def test_standardised_channels_have_mean_0_and_deviation_1() -> None:
    feature = torch.randn(4, 3, 5, 5) * torch.tensor([1.0, 100.0, 0.0]).view(1, 3, 1, 1) + 3
    found = standardised(feature)
    assert torch.allclose(found.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(found.std(dim=(0, 2, 3), correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-2)


def test_hints_that_say_the_mean_are_at_distance_1_and_the_right_ones_at_0() -> None:
    hints = Hints({"up0": 4}, {"up0": 4})
    teacher = features({"up0": 4}, 0)
    for parameter in hints.parameters():
        torch.nn.init.zeros_(parameter)
    assert hints(teacher, teacher).item() == pytest.approx(1.0, abs=1e-4)
    with torch.no_grad():
        hints.regressors["up0"].weight.copy_(torch.eye(4).view(4, 4, 1, 1))
    assert hints({"up0": standardised(teacher["up0"])}, teacher).item() == pytest.approx(0.0, abs=1e-6)


def test_factors_are_compared_by_direction() -> None:
    factor = torch.randn(3, 5, 4, 4)
    assert factor_distance(7 * factor, factor).item() == pytest.approx(0.0, abs=1e-5)
    assert factor_distance(-factor, factor).item() == pytest.approx(
        2 * (factor / factor.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()).abs().mean().item(), rel=1e-4
    )


def test_the_paraphraser_learns_from_the_teacher_alone() -> None:
    torch.manual_seed(0)
    factors = Factors(STUDENT, TEACHER)
    teacher = features(TEACHER, 2)
    gradients = []
    for seed in (1, 3):  # whatever the student says
        factors.zero_grad()
        factors(features(STUDENT, seed), teacher).backward()
        gradients.append([parameter.grad.clone() for parameter in factors.paraphrase.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_relations_follow_the_papers_formulas() -> None:
    feature, other = (torch.randn(5, 3, 2, 2, dtype=torch.float64) for _ in range(2))

    def by_hand(feature: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = feature.flatten(1)
        distances = torch.stack([(flat[i] - flat[j]).norm() for i in range(5) for j in range(5) if i != j])
        cosines = [
            torch.cosine_similarity(flat[i] - flat[j], flat[k] - flat[j], dim=0)
            for i in range(5)
            for j in range(5)
            for k in range(5)
            if len({i, j, k}) == 3
        ]
        return distances / distances.mean(), torch.stack(cosines)

    (distance, angle), (other_distance, other_angle) = by_hand(feature), by_hand(other)
    huber = torch.nn.functional.smooth_l1_loss
    grams = _gram(feature), _gram(other)
    assert relation_distance(*grams).item() == pytest.approx(huber(distance, other_distance).item())
    assert relation_angle(*grams).item() == pytest.approx(huber(angle, other_angle).item())
    assert _distances(grams[0])[0, 1].item() == pytest.approx((feature[0] - feature[1]).norm().item())


def test_relations_need_more_than_one_sample() -> None:
    one = {tap: feature[:1] for tap, feature in features(STUDENT, 0).items()}
    taught = {tap: feature[:1] for tap, feature in features(TEACHER, 0).items()}
    with pytest.raises(UserError, match="two samples"):
        Relations(STUDENT, TEACHER)(one, taught)


def test_cross_attention_is_the_papers() -> None:
    """softmax(Q K^T / sqrt d) V against the teacher, on a level small enough for full attention."""
    torch.manual_seed(0)
    alignment = CrossAttentionAlignment({"up0": 4}, {"up0": 8})
    student, teacher = features({"up0": 4}, 1), features({"up0": 8}, 2)
    taught = standardised(teacher["up0"])
    q, k, v = (
        projection["up0"](source).flatten(2).transpose(1, 2)
        for projection, source in (
            (alignment.query, taught),
            (alignment.key, student["up0"]),
            (alignment.value, student["up0"]),
        )
    )
    assert q.shape[-1] == 4
    found = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(dim=-1) @ v
    wanted = (found - taught.flatten(2).transpose(1, 2)).square().mean()
    assert alignment(student, teacher).item() == pytest.approx(wanted.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("height", "width", "count"), [(32, 24, 1), (16, 12, 1), (64, 48, 4), (128, 96, 16), (48, 32, 2)]
)
def test_large_maps_are_attended_to_within_windows(height: int, width: int, count: int) -> None:
    feature = torch.arange(2 * 3 * height * width).view(2, 3, height, width).float()
    cut = windows(feature)
    assert cut.shape == (2 * count, height * width // count, 3)
    assert cut.shape[1] <= 32 * 24
    assert torch.equal(cut[0, 0], feature[0, :, 0, 0])
    assert torch.equal(cut[count, 0], feature[1, :, 0, 0])
    assert torch.equal(cut[-1, -1], feature[1, :, -1, -1])
    assert len(cut[..., 0].unique()) == 2 * height * width


def test_a_change_reaches_only_its_own_window() -> None:
    torch.manual_seed(0)
    student = torch.randn(1, 4, 64, 48)
    changed = student.clone()
    changed[:, :, :32, :24] += 1
    moved = (windows(changed) != windows(student)).any(dim=-1).any(dim=-1)
    assert moved.tolist() == [True, False, False, False]


def test_narrower_windows_keep_a_change_within_their_positions() -> None:
    torch.manual_seed(0)
    local = CrossAttentionAlignment({"down0": 6}, {"down0": 10}, positions=12)
    student, teacher = features({"down0": 6}, 1)["down0"], features({"down0": 10}, 2)["down0"]
    value = local.value["down0"](student)
    assert windows(value, 12).shape == (8, 12, 10)
    wide = CrossAttentionAlignment({"down0": 6}, {"down0": 10})
    wide.load_state_dict(local.state_dict())
    with torch.no_grad():
        assert local({"down0": student}, {"down0": teacher}) != wide({"down0": student}, {"down0": teacher})


def test_sharp_attention_finds_the_teachers_positions_among_the_students_where_even_attention_does_not() -> None:
    teacher = {"down0": torch.randn(2, 32, 6, 4, generator=torch.Generator().manual_seed(0))}
    student = {"down0": standardised(teacher["down0"])}
    distances = []
    for sharpness in (None, 16.0):
        alignment = CrossAttentionAlignment({"down0": 32}, {"down0": 32}, sharpness=sharpness)
        with torch.no_grad():
            for kind, gain in (("query", 0.3), ("key", 0.3), ("value", 1.0)):  # about what random weights have
                convolution = getattr(alignment, kind)["down0"]
                convolution.weight.copy_(gain * torch.eye(32).view(32, 32, 1, 1))
                convolution.bias.zero_()
        distances.append(float(alignment(student, teacher).detach()))
    assert distances[0] > 0.8
    assert distances[1] < 0.1


def test_placed_attention_begins_at_a_positions_own_place_in_whatever_window() -> None:
    taught = {"down0": standardised(torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0)))}
    distances = {}
    for placed in (False, True):
        for positions in (48, 12):
            alignment = CrossAttentionAlignment({"down0": 4}, {"down0": 4}, positions=positions, placed=placed)
            with torch.no_grad():
                alignment.query["down0"].weight.zero_()  # nothing but places to go by
                alignment.query["down0"].bias.zero_()
                alignment.value["down0"].weight.copy_(torch.eye(4).view(4, 4, 1, 1))
                alignment.value["down0"].bias.zero_()
            distances[placed, positions] = float(alignment(taught, taught).detach())
    assert distances[False, 48] > 0.9
    assert max(distances[True, 48], distances[True, 12]) < 0.3


def test_the_share_attended_to_is_one_where_all_are_alike_and_small_where_one_stands_out() -> None:
    even, sharp = (CrossAttentionAlignment({"up0": 8}, {"up0": 8}, sharpness=value) for value in (None, 1000.0))
    with torch.no_grad():
        for parameter in even.query.parameters():
            parameter.zero_()
    features = {"up0": torch.randn((2, 8, 6, 4), generator=torch.Generator().manual_seed(0))}
    assert even.attended(features, features) == {"up0": pytest.approx(1.0)}
    assert 1 / 24 <= sharp.attended(features, features)["up0"] < 0.1
    placed = CrossAttentionAlignment({"up0": 8}, {"up0": 8}, placed=True)
    assert placed.attended(features, features)["up0"] < 0.3  # three fifths of it at one's own place


def test_nearness_is_learned() -> None:
    alignment = CrossAttentionAlignment({"down0": 6}, {"down0": 10}, placed=True)
    before = alignment.nearness["down0"].clone()
    optimizer = torch.optim.SGD(alignment.parameters(), lr=0.1)
    alignment(features({"down0": 6}, 1), features({"down0": 10}, 2)).backward()
    optimizer.step()
    assert alignment.nearness["down0"] != before


def test_square_distances_are_those_of_a_window() -> None:
    assert square_distances(2, 3).tolist()[0] == [0, 1, 4, 1, 2, 5]
    assert square_distances(64, 48).shape == (768, 768)
    assert int(square_distances(64, 48).max()) == 31**2 + 23**2
