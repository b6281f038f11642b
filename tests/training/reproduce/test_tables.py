"""The tables go from nothing to a page, go on where they stopped, and the page says what the numbers say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lite_vton.errors import UserError
from lite_vton.model.networks import random_networks, shipped_networks
from lite_vton.presets.config import ImageEncoderConfig
from lite_vton.presets.table import preset
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.reproduce.garment_tower import TowerRecipe
from lite_vton_training.reproduce.page import page
from lite_vton_training.reproduce.pictures import rows_shown
from lite_vton_training.reproduce.results import (
    FIGURES,
    Results,
    Spread,
    order_statement,
    paired,
    read_recorded,
    spread,
)
from lite_vton_training.reproduce.rows import BUDGETS, ROWS, TABLES, Budget
from lite_vton_training.reproduce.tables import chosen_rows, reproduce, write_page
from lite_vton_training.reproduce.trial import Trials

pytestmark = pytest.mark.slow

TINY = Budget(
    pairs=4,
    held_out=3,
    batch_size=2,
    teacher_steps=2,
    student_steps=3,
    checkpoint_every=2,
    similarity_every=2,
    teacher="tiny-teacher",
    student="tiny",
    tower_of="tiny-clip",
)
TOWER = TowerRecipe(
    ImageEncoderConfig(width=16, layers=1, heads=2, patch=56),
    embedding=8,
    loop=LoopConfig(steps=2, batch_size=3, learning_rate=1e-3, warmup_steps=1, checkpoint_every=2),
)
PSNR = FIGURES[0]


def trials(folder: Path, budget: Budget = TINY) -> Trials:
    return Trials(folder, budget, random_networks(preset("tiny-teacher")), stand_in=TOWER)


def results(**figures: list[float]) -> Results:
    """Rows of PSNRs, one a seed."""
    about: dict[str, Any] = {"machine": "m", "threads": 1, "date": "2026-01-01", "bf16": False, "minutes": 30.0}
    return {
        row.replace("_", "-"): {
            seed: {**about, "figures": {"psnr_in_mask": value}} for seed, value in enumerate(values)
        }
        for row, values in figures.items()
    }


def test_rows_and_seeds_go_from_nothing_to_a_page_and_are_not_trained_again(tmp_path: Path) -> None:
    rows, written = [ROWS["output-slimmed"], ROWS["caad"]], tmp_path / "docs/results.md"
    first = trials(tmp_path / "run")
    reproduce(first, rows[:1], [0], written)
    assert "Not run yet: none, output, feature, factor, relation, caad." in written.read_text(encoding="utf-8")

    reproduce(first, rows, [0, 1], written)
    files = [first.file(row, seed) for row in rows for seed in (0, 1)]
    before = {file: file.stat().st_mtime_ns for file in files}
    text = written.read_text(encoding="utf-8")
    assert "(2)" in text
    for name in ("results-distillation-curves.png", "results-caad-people.jpg", "results-start-curves.png"):
        assert f"({name})" in text
        assert (written.parent / name).stat().st_size > 1000
    result = json.loads(files[2].read_text())
    assert json.loads(written.with_suffix(".json").read_text())["caad"]["0"] == result
    figures = result["figures"]
    assert 0 < figures["own_distance"] < 3
    assert 0 < figures["cka"] <= 1
    assert figures["psnr_to_teacher"] > 0

    reproduce(first, rows, [0, 1], written)
    assert {file: file.stat().st_mtime_ns for file in files} == before

    with pytest.raises(UserError, match="another budget"):
        reproduce(trials(tmp_path / "run", replace(TINY, student_steps=4)), rows, [0], written)


def test_a_trial_stopped_before_its_result_ends_with_the_same_figures(tmp_path: Path) -> None:
    row, run = ROWS["output"], trials(tmp_path)
    run.run(row, 0)
    whole = json.loads(run.file(row, 0).read_text())
    run.file(row, 0).unlink()
    trials(tmp_path).run(row, 0)
    again = json.loads(run.file(row, 0).read_text())
    assert again["figures"] == whole["figures"]
    trials(tmp_path).run(row, 1)
    assert json.loads(run.file(row, 1).read_text())["figures"] != whole["figures"]


def test_a_component_trains_its_own_teacher_on_its_own_masks(tmp_path: Path) -> None:
    run = trials(tmp_path)
    run.run(ROWS["student-A"], 0)
    assert run.file(ROWS["teacher-A"], 0).is_file()
    assert (tmp_path / "held-out-plain.npz").is_file()
    config = run.config(ROWS["student-A"])
    assert (config.mask, config.unet.told) == ("plain", ("mask", "masked_person"))


def test_rows_of_every_table_exist_and_every_teacher_comes_before_its_student() -> None:
    names = list(ROWS)
    for table in TABLES.values():
        assert {table.baseline, *table.order} <= set(table.rows) <= set(names)
    for row in ROWS.values():
        if row.taught_by in ROWS:
            assert names.index(str(row.taught_by)) < names.index(row.name)
    assert BUDGETS["small"].student_steps < BUDGETS["full"].student_steps


def test_a_part_is_chosen_by_row_or_table() -> None:
    assert [row.name for row in chosen_rows(["start", "factor"])][:3] == ["none", "output", "factor"]
    assert [row.name for row in chosen_rows(["feature"])] == ["feature"]
    assert chosen_rows([]) == list(ROWS.values())
    with pytest.raises(UserError, match="no row or table 'cad'"):
        chosen_rows(["cad"])


def test_trials_that_the_page_records_are_done_but_for_a_teacher_whose_weights_are_needed(tmp_path: Path) -> None:
    written, rows = tmp_path / "docs/results.md", [ROWS["teacher-A"], ROWS["output"]]
    reproduce(trials(tmp_path / "first"), rows, [0], written)
    recorded = read_recorded(written.with_suffix(".json"))
    curves = (written.parent / "results-distillation-curves.png").read_bytes()

    elsewhere = replace(trials(tmp_path / "second"), recorded=recorded)
    reproduce(elsewhere, rows, [0], written)
    assert not list(elsewhere.folder.glob("*/0"))
    assert json.loads(written.with_suffix(".json").read_text()) == json.loads(json.dumps(recorded))
    assert (written.parent / "results-distillation-curves.png").read_bytes() == curves

    reproduce(elsewhere, [ROWS["student-A"], ROWS["none"]], [0], written)
    assert elsewhere.file(ROWS["teacher-A"], 0).is_file()
    assert not elsewhere.file(ROWS["output"], 0).is_file()
    text = written.read_text(encoding="utf-8")
    assert "| output |" in text
    assert "*Shown: none. Of output only the figures are left.*" in text
    assert rows_shown(written.parent / "results-start-people.jpg") == ("none",)


@pytest.mark.parametrize("change", ["weights", "budget", "bf16", "row"])
def test_a_recorded_trial_of_other_circumstances_is_not_done(tmp_path: Path, change: str) -> None:
    row, run = ROWS["output"], trials(tmp_path)
    result = json.loads(json.dumps(run.circumstances.record(row, 0, figures={"psnr_in_mask": 1.0})))
    assert replace(run, recorded={"output": {0: result}}).is_done(row, 0)
    assert not replace(run, recorded={"output": {0: result}}).is_done(row, 1)
    assert not replace(run, recorded={"output": {0: {**result, change: None}}}).is_done(row, 0)


def test_the_page_in_docs_is_about_one_teacher_and_todays_budget() -> None:
    """The teacher is the one shipped before the networks saw photographs: with today's, the rows are trained anew."""
    recorded = read_recorded(Path(__file__).parents[3] / "docs/results.json")
    assert len({trial["weights"] for seeds in recorded.values() for trial in seeds.values()}) == 1
    run = Trials(Path("nowhere"), BUDGETS["small"], shipped_networks(preset("demo-teacher")), bf16=True)
    assert not any(replace(run, recorded=recorded).results().values())
    todays = {
        row: {seed: {**trial, "weights": run.circumstances.weights} for seed, trial in seeds.items()}
        for row, seeds in recorded.items()
    }
    assert replace(run, recorded=todays).results() == todays


@pytest.mark.parametrize("text", ["[1, 2]", "{", '{"output": {"0": {}}}', '{"output": {"x": {"figures": {}}}}'])
def test_a_file_that_records_nothing_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "results.json"
    assert read_recorded(file) == {}
    file.write_text(text)
    with pytest.raises(UserError, match=r"results\.json holds"):
        read_recorded(file)


def test_a_picture_that_shows_more_than_is_at_hand_stays(tmp_path: Path) -> None:
    run, written = trials(tmp_path / "run"), tmp_path / "results.md"
    reproduce(run, [ROWS["none"], ROWS["output"]], [0], written)
    picture = tmp_path / "results-distillation-people.jpg"
    before = picture.read_bytes()
    for name in ("pictures.npz", "log.csv"):
        run.file(ROWS["output"], 0).with_name(name).unlink()
    write_page(run, written)
    assert picture.read_bytes() == before
    assert rows_shown(picture) == ("none", "output")
    assert "Shown:" not in written.read_text(encoding="utf-8")


def test_row_d_gets_a_tower_trained_on_its_own_garments_and_the_page_says_so(tmp_path: Path) -> None:
    run, written = trials(tmp_path / "run"), tmp_path / "results.md"
    row = ROWS["teacher-A+B+C+D"]
    assert run.config(row).unet.cross_attention == TOWER.shape.width
    reproduce(run, [row], [0], written)
    result = json.loads(run.file(row, 0).read_text())
    assert result["tower"] == "stand-in"
    assert 0 <= result["tower_found_again"] <= 1
    assert "stands in for CLIP" in written.read_text(encoding="utf-8")

    given = replace(trials(tmp_path / "given"), tower=tmp_path / "clip", recorded={row.name: {0: result}})
    assert given.config(row).unet.cross_attention == 24
    assert not given.is_done(row, 0)


def test_spread_is_the_deviation_of_a_sample_and_differences_are_taken_seed_by_seed() -> None:
    found = results(output=[10.0, 12.0, 14.0], caad=[10.5, 12.7, 14.3])
    whole = spread(found, "output", "psnr_in_mask")
    apart = paired(found, "caad", "output", "psnr_in_mask")
    assert whole is not None
    assert apart is not None
    assert (whole.mean, whole.deviation) == (pytest.approx(12.0), pytest.approx(2.0))
    assert (apart.mean, apart.deviation) == (pytest.approx(0.5), pytest.approx(0.2))
    assert apart.text(2, "+") == "+0.50 ± 0.20 (3)"
    assert Spread((1.0,)).text(1) == "1.0 (1)"
    assert paired(found, "none", "output", "psnr_in_mask") is None
    text = page(found, TINY, "just reproduce")
    assert "| caad | 12.50 ± 1.91 (3) | +0.50 ± 0.20 (3) |" in text
    assert "6 trials, 3.0 hours of training in float32" in text


def test_the_statement_about_the_order_follows_the_numbers() -> None:
    order = ("none", "output", "feature")
    up = order_statement(results(none=[1, 2], output=[2, 3], feature=[3, 4]), order, PSNR)
    assert up.startswith("The paper's order, none < output < feature, comes out by PSNR in mask, dB:")
    down = order_statement(results(none=[1, 2], output=[2, 3], feature=[1, 2]), order, PSNR)
    assert "does not come out" in down
    assert "output is better than none" in down
    assert "feature is worse than output (-1.00 ± 0.00 (2))" in down
    unsure = order_statement(results(none=[1, 2], output=[2, 3], feature=[3, 2]), order, PSNR)
    assert "does not come out" in unsure
    assert "feature is not told apart from output" in unsure


def test_the_statement_turns_with_a_figure_that_should_be_small_and_names_what_is_missing() -> None:
    order = ("none", "output")
    lpips = replace(PSNR, better=-1)
    assert "output is worse than none" in order_statement(results(none=[1, 2], output=[2, 3]), order, lpips)
    assert "cannot be judged" in order_statement(results(none=[1.0]), order, PSNR)
    partly = order_statement(results(none=[1.0], output=[2.0]), (*order, "caad"), PSNR)
    assert "comes out by PSNR in mask, dB (without caad, not run)" in partly
    assert "One seed alone" in partly
