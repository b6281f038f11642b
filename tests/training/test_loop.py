"""The loop is exact: what a killed and resumed run ends with is what an uninterrupted one ends with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lite_vton.errors import UserError
from training.loop import LoopConfig, fit

CONFIG = LoopConfig(steps=6, batch_size=4, learning_rate=1e-2, warmup_steps=2, checkpoint_every=2)


def line_fit(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
    x = torch.randn(4, 3, generator=generator)
    return {"line": (module(x) - x.sum(dim=1, keepdim=True)).square().mean()}


def fresh_module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


def weights(module: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


class Killed(BaseException):
    """Stands for the signal that ends the process."""


def kill_at(last: int) -> object:
    def on_step(step: int, _: dict[str, float]) -> None:
        if step == last:
            raise Killed

    return on_step


def test_resumed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = fresh_module()
    fit(whole, line_fit, CONFIG, tmp_path / "whole")

    with pytest.raises(Killed):
        fit(fresh_module(), line_fit, CONFIG, tmp_path / "cut", on_step=kill_at(4))  # type: ignore[arg-type]
    resumed = fresh_module()
    fit(resumed, line_fit, CONFIG, tmp_path / "cut", resume=True)

    for a, b in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(a, b)
    assert (tmp_path / "whole/log.csv").read_text() == (tmp_path / "cut/log.csv").read_text()


def test_a_kill_while_the_checkpoint_is_replaced_loses_nothing(tmp_path: Path) -> None:
    whole = fresh_module()
    fit(whole, line_fit, CONFIG, tmp_path / "whole")

    cut = tmp_path / "cut"
    with pytest.raises(Killed):
        fit(fresh_module(), line_fit, CONFIG, cut, on_step=kill_at(4))  # type: ignore[arg-type]
    (cut / "checkpoint").rename(cut / "checkpoint.old")  # what stands between the two renames
    seen: list[int] = []
    resumed = fresh_module()
    fit(resumed, line_fit, CONFIG, cut, resume=True, on_step=lambda step, _: seen.append(step))

    assert seen == [4, 5]
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(a, b)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    module = fresh_module()
    seen: list[float] = []
    config = LoopConfig(steps=200, batch_size=4, learning_rate=2e-2, warmup_steps=5, checkpoint_every=200)
    fit(module, line_fit, config, tmp_path, on_step=lambda _, terms: seen.append(terms["line"]))
    assert sum(seen[-20:]) < 0.2 * sum(seen[:20])


def test_resuming_with_other_settings_is_refused(tmp_path: Path) -> None:
    fit(fresh_module(), line_fit, CONFIG, tmp_path)
    other = LoopConfig(steps=7, batch_size=4, learning_rate=1e-2, warmup_steps=2, checkpoint_every=2)
    with pytest.raises(UserError, match="other settings"):
        fit(fresh_module(), line_fit, other, tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    def broken(module: nn.Module, _: torch.Generator) -> dict[str, torch.Tensor]:
        return {"loss": module(torch.full((1, 3), torch.nan)).sum()}

    with pytest.raises(FloatingPointError, match="step 0"):
        fit(fresh_module(), broken, CONFIG, tmp_path)
