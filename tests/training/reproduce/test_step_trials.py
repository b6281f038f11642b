"""Teaching few steps, from pairs to page: small networks, every way, and a run that goes on where it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lite_vton.errors import UserError
from lite_vton.model.networks import random_networks
from lite_vton.presets.table import preset
from lite_vton_training.reproduce.step_page import StepResults
from lite_vton_training.reproduce.step_trials import STUDENT, TEACHER, WAYS, StepBudget, StepTrials
from lite_vton_training.reproduce.steps import reproduce_steps

pytestmark = pytest.mark.slow

BUDGET = StepBudget(pairs=6, held_out=3, batch_size=2, updates=6, counts=(2, 1), substeps=2, many=4)


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> StepTrials:
    student = random_networks(preset("tiny"), 0)
    teacher = replace(random_networks(preset("tiny-teacher"), 1), autoencoder=student.autoencoder)
    return StepTrials(tmp_path_factory.mktemp("few-steps"), BUDGET, student, teacher)


@pytest.fixture(scope="module")
def results(trials: StepTrials, tmp_path_factory: pytest.TempPathFactory) -> tuple[StepResults, Path]:
    page = tmp_path_factory.mktemp("docs") / "few-steps.md"
    return reproduce_steps(trials, list(WAYS), [0], page), page


@pytest.mark.parametrize("text", ["", "[]", '{"2": 1}', '{"2": {"psnr_in_mask": "high"}}'])
def test_a_damaged_result_is_named(text: str, trials: StepTrials, tmp_path: Path) -> None:
    damaged = replace(trials, folder=tmp_path)
    for file, read in (
        (tmp_path / "untaught.json", damaged.untaught),
        (tmp_path / "progressive/0/result.json", lambda: damaged.run(WAYS["progressive"], 0)),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        with pytest.raises(UserError, match=file.name):
            read()


def test_every_way_is_judged_in_every_number_of_steps(results: tuple[StepResults, Path]) -> None:
    found, _ = results
    assert set(found) == {STUDENT, TEACHER, *WAYS}
    for way in WAYS:
        assert set(found[way][0]) == {"2", "1"}
        for figures in found[way][0].values():
            assert figures["psnr_in_mask"] is not None
            assert figures["sharpness"] is not None
    assert found[TEACHER][0]["4"]["psnr_to_teacher"] == pytest.approx(100)


def test_ways_end_in_different_networks(results: tuple[StepResults, Path]) -> None:
    found, _ = results
    apart = {json.dumps(found[way][0]["1"]) for way in WAYS}
    assert len(apart) == len(WAYS)


def test_the_page_shows_every_row_and_the_json_every_figure(results: tuple[StepResults, Path]) -> None:
    found, page = results
    text = page.read_text()
    assert all(f"| {row} |" in text for row in found)
    kept = json.loads(page.with_suffix(".json").read_text())
    assert kept["results"]["progressive"]["0"]["2"] == found["progressive"][0]["2"]


def test_what_is_there_is_not_trained_again(
    results: tuple[StepResults, Path], trials: StepTrials, tmp_path: Path
) -> None:
    times = {file: file.stat().st_mtime_ns for file in trials.folder.glob("*/0/result.json")}
    assert reproduce_steps(trials, list(WAYS), [0], tmp_path / "page.md") == results[0]
    assert times == {file: file.stat().st_mtime_ns for file in trials.folder.glob("*/0/result.json")}


@pytest.mark.usefixtures("results")
def test_results_of_other_weights_are_not_taken_for_these(trials: StepTrials, tmp_path: Path) -> None:
    other = replace(trials, student=replace(trials.student, unet=random_networks(preset("tiny"), 9).unet))
    with pytest.raises(UserError, match="other weights"):
        reproduce_steps(other, ["trajectory"], [0], tmp_path / "page.md")
    with pytest.raises(UserError, match="choose among"):
        reproduce_steps(trials, ["leap"], [0], tmp_path / "page.md")
