"""The loop is exact: what a killed and resumed run ends with is what an uninterrupted one ends with."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from lite_vton.errors import UserError
from lite_vton_training.loop.fit import SCHEDULES, LoopConfig, fit, step_generator

pytestmark = pytest.mark.slow

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
    other = LoopConfig(steps=6, batch_size=5, learning_rate=1e-2, warmup_steps=2, checkpoint_every=2)
    with pytest.raises(UserError, match=r"begun with other settings \(batch_size 4, not 5\)"):
        fit(fresh_module(), line_fit, other, tmp_path, resume=True)
    for changed in ({"warmup_steps": 3}, {"checkpoint_every": 3}, {"steps": 7, "seed": 1}):
        with pytest.raises(UserError, match="other settings"):
            fit(fresh_module(), line_fit, replace(CONFIG, **changed), tmp_path, resume=True)


def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_whole(tmp_path: Path) -> None:
    seen = []

    def loss(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        x = torch.randn(4, 3, generator=generator)
        answer = module(x)
        seen.append(answer.dtype)
        return {"line": (answer.float() - x.sum(dim=1, keepdim=True)).square().mean()}

    whole, mixed = fresh_module(), fresh_module()
    fit(whole, line_fit, CONFIG, tmp_path / "whole")
    fit(mixed, loss, replace(CONFIG, bf16=True), tmp_path / "mixed")
    assert set(seen) == {torch.bfloat16}
    for a, b in zip(weights(whole), weights(mixed), strict=True):
        assert b.dtype == torch.float32
        assert not torch.equal(a, b)
        assert torch.allclose(a, b, atol=2e-2)
    assert json.loads((tmp_path / "mixed/config.json").read_text())["bf16"] is True


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    def broken(module: nn.Module, _: torch.Generator) -> dict[str, torch.Tensor]:
        return {"loss": module(torch.full((1, 3), torch.nan)).sum()}

    with pytest.raises(FloatingPointError, match="step 0"):
        fit(fresh_module(), broken, CONFIG, tmp_path)


def test_a_gradient_that_is_not_finite_stops_the_run_before_it_spoils_the_weights(tmp_path: Path) -> None:
    module = fresh_module()

    def steep(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        loss = line_fit(module, generator)["line"]
        return {"line": loss + (0 * loss).sqrt()}  # 0 in value; its slope is not a number

    with pytest.raises(FloatingPointError, match="the gradient of step 0 is nan"):
        fit(module, steep, CONFIG, tmp_path)
    assert all(parameter.isfinite().all() for parameter in module.parameters())


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    whole = fresh_module()
    fit(whole, line_fit, CONFIG, tmp_path / "whole")

    cut, limits = tmp_path / "cut", resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(step: int, _: dict[str, float]) -> None:
        if step == 3:  # no file may grow beyond a kilobyte: what a full disk does to a checkpoint
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))

    try:
        with pytest.raises(UserError, match="no room for the checkpoint after step 3"):
            fit(fresh_module(), line_fit, CONFIG, cut, on_step=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(file.name for file in cut.iterdir()) == ["checkpoint", "config.json", "log.csv"]
    assert (cut / "checkpoint/step.txt").read_text() == "2"
    resumed = fresh_module()
    fit(resumed, line_fit, CONFIG, cut, resume=True)
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(a, b)


def test_a_second_training_in_a_folder_is_told_that_another_is_at_work(tmp_path: Path) -> None:
    second = f"""
from pathlib import Path
from tests.training.loop.test_fit import CONFIG, UserError, fit, fresh_module, line_fit
for folder in ("run", "other"):
    try:
        fit(fresh_module(), line_fit, CONFIG, Path({str(tmp_path)!r}) / folder)
    except UserError as error:
        print(error)
"""
    started: list[str] = []

    def start(step: int, _: dict[str, float]) -> None:
        if step == 3:
            done = subprocess.run([sys.executable, "-c", second], capture_output=True, text=True, check=True)
            started.append(done.stdout)

    fit(fresh_module(), line_fit, CONFIG, tmp_path / "run", on_step=start)
    assert started == [f"another lite-vton is writing {tmp_path / 'run'}: wait for it, or choose another output\n"]
    assert (tmp_path / "other/checkpoint/step.txt").read_text() == (tmp_path / "run/checkpoint/step.txt").read_text()


def test_a_checkpoint_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        fit(fresh_module(), line_fit, CONFIG, tmp_path)
    finally:
        os.umask(before)
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.rglob("*") if file.is_file()}
    assert set(modes.values()) == {0o644}, modes


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    fit(fresh_module(), line_fit, CONFIG, tmp_path)
    (tmp_path / "checkpoint/model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be resumed"):
        fit(fresh_module(), line_fit, CONFIG, tmp_path, resume=True)


def test_a_run_that_knew_fewer_settings_can_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fit(fresh_module(), line_fit, CONFIG, tmp_path, on_step=kill_at(4))  # type: ignore[arg-type]
    known = {name: value for name, value in asdict(CONFIG).items() if name not in ("schedule", "accumulation")}
    (tmp_path / "config.json").write_text(json.dumps(known))
    with pytest.raises(UserError, match="other settings"):
        fit(fresh_module(), line_fit, replace(CONFIG, schedule="constant"), tmp_path, resume=True)
    fit(fresh_module(), line_fit, CONFIG, tmp_path, resume=True)


def test_what_else_a_run_depends_on_is_saved_and_compared(tmp_path: Path) -> None:
    fit(fresh_module(), line_fit, CONFIG, tmp_path, about={"losses": {"taps": ("down0",)}})
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["losses"] == {"taps": ["down0"]}
    assert written["ema_decay"] == CONFIG.ema_decay
    fit(fresh_module(), line_fit, CONFIG, tmp_path, resume=True, about={"losses": {"taps": ("down0",)}})
    with pytest.raises(UserError, match="other settings"):
        fit(fresh_module(), line_fit, CONFIG, tmp_path, resume=True, about={"losses": {"taps": ()}})


def test_what_observers_see_is_logged(tmp_path: Path) -> None:
    def bias(step: int, module: nn.Module) -> dict[str, float]:
        assert isinstance(module, nn.Sequential)
        return {"bias": module[2].bias.item()} if step % 3 == 0 else {}

    fit(fresh_module(), line_fit, CONFIG, tmp_path, observers=[bias])
    header, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert header == "step,line,bias"
    assert [row.endswith(",") for row in rows] == [False, True, True, False, True, True]


@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rates_warm_up_and_follow_their_schedule(name: str, tmp_path: Path) -> None:
    steps: list[torch.Tensor] = []
    config = LoopConfig(
        steps=8, batch_size=1, learning_rate=0.1, warmup_steps=2, weight_decay=0.0, ema_decay=0.0, schedule=name
    )
    module = nn.Linear(1, 1, bias=False)

    def slope(module: nn.Module, _: torch.Generator) -> dict[str, torch.Tensor]:
        return {"slope": module(torch.ones(1, 1)).sum()}  # a constant gradient: Adam's steps are the learning rate

    fit(module, slope, config, tmp_path, on_step=lambda *_: steps.append(module.weight.detach().clone()))
    rates = -torch.stack(steps).flatten().diff()
    assert rates[0] == pytest.approx(0.05, rel=1e-2)
    assert rates[1] == pytest.approx(0.1, rel=1e-2)
    expected = {"cosine": 0.05, "linear": 0.05, "constant": 0.1}[name]
    assert rates[4] == pytest.approx(expected, rel=1e-2)  # half way


def test_an_unknown_schedule_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'cosine'"):
        fit(fresh_module(), line_fit, replace(CONFIG, schedule="cosin"), tmp_path)
    with pytest.raises(UserError, match=r"cosine, linear.* constant"):
        fit(fresh_module(), line_fit, replace(CONFIG, schedule="stairs"), tmp_path)


def test_a_loss_that_cannot_be_shared_is_not_accumulated(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without accumulation"):
        fit(fresh_module(), line_fit, replace(CONFIG, accumulation=2), tmp_path)


def test_every_step_of_every_seed_draws_its_own_samples() -> None:
    first = {
        (seed, step): torch.randint(2**62, (1,), generator=step_generator(seed, step)).item()
        for seed in (0, 1, 2, 1000)
        for step in (0, 1, 2, 100_000)
    }
    assert len(set(first.values())) == len(first)
    again = torch.randint(2**62, (1,), generator=step_generator(1, 2)).item()
    assert again == first[1, 2]
