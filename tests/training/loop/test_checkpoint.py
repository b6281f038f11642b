"""A run goes on from what it wrote and from nothing else, and opening a stranger's run executes nothing."""

from __future__ import annotations

import io
import json
import pickle
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lite_vton.errors import UserError
from lite_vton_training.loop.fit import LoopConfig, fit
from lite_vton_training.loop.sealed_folder import SEAL, seal
from tests.training.loop.test_fit import CONFIG, Killed, fresh_module, kill_at, line_fit, weights


def resumed(folder: Path, config: LoopConfig = CONFIG) -> list[torch.Tensor]:
    """The weights that the run in `folder` ends with."""
    module = fresh_module()
    fit(module, line_fit, config, folder, resume=True)
    return weights(module)


def refusal(folder: Path, config: LoopConfig = CONFIG) -> str:
    """The one line with which the run in `folder` is not resumed; nothing in it has changed then."""
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(UserError) as error:
        resumed(folder, config)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    line = str(error.value)
    assert "\n" not in line
    assert len(line.replace(str(folder), "")) < 500
    return line


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was ended after five steps, its checkpoint after four."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    with pytest.raises(Killed):
        fit(fresh_module(), line_fit, CONFIG, folder, on_step=kill_at(4))  # type: ignore[arg-type]
    return folder


@pytest.fixture
def run(killed: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(killed, tmp_path / "run"))


# Nothing is executed


PICKLED = ("custom_checkpoint_0.pkl", "random_states_0.pkl", "optimizer.bin", "scheduler.bin")
"""What accelerate wrote beside the weights."""


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.sprung,)


def poisons(sprung: Path) -> dict[str, bytes]:
    """The forms in which libraries that training is made of have been known to unpickle."""
    bare = pickle.dumps(Trap(sprung))
    zipped, legacy, archive = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"a": Trap(sprung)}, zipped)
    torch.save({"a": Trap(sprung)}, legacy, _use_new_zipfile_serialization=False)
    header = b"\x93NUMPY\x01\x00\x46\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.npy", header + bare)
    files = {"torch": zipped, "torch before 1.6": legacy, "npz": archive}
    return {"pickle": bare, **{name: file.getvalue() for name, file in files.items()}}


def files_of(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def test_a_run_leaves_no_file_of_a_kind_that_can_hold_code(killed: Path) -> None:
    assert files_of(killed) == sorted(
        [
            "config.json",
            "log.csv",
            *(f"checkpoint/{part}.safetensors" for part in ("average", "model", "optimizer")),
            *(f"checkpoint/{name}" for name in ("checkpoint.json", "config.json", "log.csv", "step.txt")),
        ]
    )


@pytest.mark.slow
def test_poison_in_the_place_of_any_file_is_refused_and_not_executed(run: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    pickle.loads(poisons(sprung)["pickle"])
    assert sprung.exists(), "the trap works"
    sprung.unlink()
    for name in files_of(run):
        own = (run / name).read_bytes()
        for poison in poisons(sprung).values():
            (run / name).write_bytes(poison)
            refusal(run)
            if name.startswith("checkpoint/") and not name.endswith(SEAL):  # as a stranger would who knows the seal
                (run / "checkpoint" / SEAL).rename(tmp_path / SEAL)
                seal(run / "checkpoint")
                refusal(run)
                (tmp_path / SEAL).replace(run / "checkpoint" / SEAL)
        (run / name).write_bytes(own)
    assert not sprung.exists()


def test_files_of_names_that_used_to_be_unpickled_are_not_opened(run: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    for name in (
        "custom_checkpoint_0.pkl",
        "random_states_0.pkl",
        "optimizer.bin",
        "scheduler.bin",
        "pytorch_model.bin",
    ):
        (run / "checkpoint" / name).write_bytes(poisons(sprung)["pickle"])
    resumed(run)
    assert not sprung.exists()


def test_a_run_of_pickles_is_refused_with_the_reason(run: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    (run / "checkpoint" / SEAL).unlink()
    for name in ("average.safetensors", "optimizer.safetensors", "config.json", "log.csv"):
        (run / "checkpoint" / name).unlink()
    for name in PICKLED:
        (run / "checkpoint" / name).write_bytes(poisons(sprung)["torch"])
    assert "written by an older lite-vton, as pickles" in refusal(run)
    assert not sprung.exists()


# Nothing is taken that is not as it was written


@pytest.mark.slow
def test_every_changed_file_is_refused(run: Path) -> None:
    draw = random.Random(0)
    for name in files_of(run):
        own = (run / name).read_bytes()
        place = draw.randrange(min(len(own), 60))  # of log.csv's, a step before the checkpoint
        for changed in (
            b"",
            own[:place],
            own[:place] + bytes([own[place] ^ 1 << draw.randrange(8)]) + own[place + 1 :],
            bytes(draw.randrange(256) for _ in range(200)),
            b"[" * 100_000,
            b"9" * 10_000,
            b"\xff\xfe" + own,
            b"\x00" * 2_000_000,
        ):
            (run / name).write_bytes(changed)
            refusal(run)
        (run / name).unlink()
        assert Path(name).name in refusal(run)
        (run / name).mkdir()
        refusal(run)
        (run / name).rmdir()
        (run / name).write_bytes(own)
    resumed(run)


def test_what_has_to_be_put_back_is_named_and_does_put_it_right(run: Path) -> None:
    wanted = files_of(run)
    for name in ("config.json", "log.csv"):
        (run / name).write_text("step,line\n0,1\n")
        assert f"copy {run / 'checkpoint' / name} " in refusal(run)
        shutil.copyfile(run / "checkpoint" / name, run / name)
    resumed(run)
    assert files_of(run) == wanted
    assert len((run / "log.csv").read_text().splitlines()) == CONFIG.steps + 1


def test_a_run_that_lost_its_checkpoint_is_not_begun_anew(run: Path) -> None:
    (run / "checkpoint").rename(run / "elsewhere")
    assert "has the log of 5 steps and no checkpoint: put its folder checkpoint back" in refusal(run)
    (run / "elsewhere").rename(run / "checkpoint")
    resumed(run)


def test_a_checkpoint_of_two_steps_is_refused(run: Path, tmp_path: Path) -> None:
    later = Path(shutil.copytree(run, tmp_path / "later"))
    resumed(later)
    for file in (later / "checkpoint").iterdir():
        own = (run / "checkpoint" / file.name).read_bytes()
        if file.read_bytes() == own:
            assert file.name == "config.json"
            continue
        shutil.copyfile(file, run / "checkpoint" / file.name)
        assert "cannot be resumed" in refusal(run)
        (run / "checkpoint" / file.name).write_bytes(own)


def test_a_checkpoint_of_another_run_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        fit(fresh_module(), line_fit, replace(CONFIG, seed=1), tmp_path / "other", on_step=kill_at(4))  # type: ignore[arg-type]
    shutil.rmtree(run / "checkpoint")
    shutil.copytree(tmp_path / "other/checkpoint", run / "checkpoint")
    assert "config.json is not what the checkpoint was taken with (seed 0, not 1)" in refusal(run)
    shutil.copyfile(run / "checkpoint/config.json", run / "config.json")
    assert "begun with other settings (seed 1, not 0)" in refusal(run)
    assert "does not begin with the steps of the checkpoint" in refusal(run, replace(CONFIG, seed=1))


def with_tensors(run: Path, part: str, change: Callable[[dict[str, torch.Tensor]], Any]) -> Path:
    """The run with other tensors in its checkpoint, and a seal that is right."""
    file = run / f"checkpoint/{part}.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    (run / "checkpoint" / SEAL).unlink()
    seal(run / "checkpoint")
    return run


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("model", "0.weight"),
        ("average", "2.bias"),
        ("optimizer", "0.bias.exp_avg"),
        ("optimizer", "2.weight.exp_avg_sq"),
    ],
)
def test_numbers_that_are_none_are_refused_by_name(part: str, name: str, value: float, run: Path) -> None:
    with_tensors(run, part, lambda tensors: tensors[name].view(-1)[0].fill_(value))
    assert f"{name} in {part} has values that are NaN or infinite" in refusal(run)


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("model", lambda t: t.update({"0.weight": torch.zeros(3, 3)}), "0.weight in model is (3, 3)"),
        ("model", lambda t: t.update({"0.weight": t["0.weight"].double()}), "torch.float64"),
        ("model", lambda t: t.pop("2.bias"), "model lacks 2.bias"),
        ("average", lambda t: t.update(more=torch.zeros(1)), "average holds more"),
        ("optimizer", lambda t: t.pop("0.weight.exp_avg"), "optimizer lacks 0.weight.exp_avg"),
        ("optimizer", lambda t: t.update({"3.weight.step": torch.tensor(1.0)}), "optimizer holds 3.weight.step"),
        ("optimizer", lambda t: t.update({"0.weight.step": torch.tensor(9.0)}), "is 9 after 4 steps"),
        ("optimizer", lambda t: t.update({"0.weight.step": torch.tensor(0.5)}), "is 0.5 after 4 steps"),
    ],
)
def test_tensors_of_another_network_are_refused(part: str, change: Any, said: str, run: Path) -> None:
    assert said in refusal(with_tensors(run, part, change))


@pytest.mark.parametrize("step", ["", "0", "-4", "4.0", "four", "٤", "9" * 5000])
def test_a_step_that_is_none_is_refused(step: str, run: Path) -> None:
    (run / "checkpoint/step.txt").write_text(step, encoding="utf-8")
    (run / "checkpoint" / SEAL).unlink()
    seal(run / "checkpoint")
    assert "step.txt holds no number of steps" in refusal(run)


# More steps


def rates(folder: Path, config: LoopConfig, resume: bool = False) -> dict[int, float]:
    """The learning rate of every step but the first, told by how far a constant gradient takes Adam."""
    after: dict[int, float] = {}
    module = torch.nn.Linear(1, 1, bias=False)

    def slope(module: torch.nn.Module, _: torch.Generator) -> dict[str, torch.Tensor]:
        return {"slope": module(torch.ones(1, 1)).sum()}

    def on_step(step: int, _: dict[str, float]) -> None:
        after[step] = float(module.weight.detach())

    fit(module, slope, config, folder, resume=resume, on_step=on_step)
    return {step: after[step - 1] - weight for step, weight in after.items() if step - 1 in after}


def test_a_run_can_be_made_longer_with_the_rates_of_one_that_was_begun_so(tmp_path: Path) -> None:
    short = LoopConfig(
        steps=6, batch_size=1, learning_rate=0.1, warmup_steps=2, weight_decay=0.0, checkpoint_every=3, ema_decay=0.0
    )
    longer = replace(short, steps=12, warmup_steps=3, checkpoint_every=5)
    rates(tmp_path / "run", short)
    found, wanted = rates(tmp_path / "run", longer, resume=True), rates(tmp_path / "whole", longer)
    assert sorted(found) == [7, 8, 9, 10, 11]
    assert found == pytest.approx({step: wanted[step] for step in found}, rel=1e-4)
    assert json.loads((tmp_path / "run/config.json").read_text())["steps"] == 12
    assert len((tmp_path / "run/log.csv").read_text().splitlines()) == 13


def test_a_run_that_was_made_longer_and_killed_can_still_be_resumed_either_way(run: Path) -> None:
    longer = replace(CONFIG, steps=20, checkpoint_every=7)
    with pytest.raises(Killed):
        fit(fresh_module(), line_fit, longer, run, resume=True, on_step=kill_at(5))  # type: ignore[arg-type]
    other = Path(shutil.copytree(run, run.with_name("other")))
    whole = Path(shutil.copytree(run, run.with_name("whole")))
    resumed(run, longer)
    resumed(other)
    assert (other / "checkpoint/step.txt").read_text() == "6"
    assert (run / "checkpoint/step.txt").read_text() == "20"
    assert [torch.equal(a, b) for a, b in zip(resumed(whole, longer), resumed(run, longer), strict=True)] == [True] * 4


@pytest.mark.parametrize("steps", [5, 4, 3, 1])
def test_a_run_is_not_made_shorter(steps: int, run: Path) -> None:
    said = refusal(run, replace(CONFIG, steps=steps))
    assert "a run of 6 steps, of which 4 are done, and can be made longer but not shorter: give 6 steps or more" in said


def test_a_finished_run_ends_at_once_with_its_weights(run: Path) -> None:
    wanted = resumed(run)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    module = fresh_module()
    fit(module, line_fit, CONFIG, run, resume=True, on_step=kill_at(0))  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(weights(module), wanted, strict=True))
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
