from __future__ import annotations

import csv
import json
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from PIL import Image

from lite_vton.errors import UserError
from lite_vton_runtimes.benchmark.chart import draw_chart
from lite_vton_runtimes.benchmark.report import BenchmarkReport, Row, write_report

ROWS = (
    Row("onnxruntime", "fp32", "unet", 0.25, 12.0, 13.5, 15.25, 20, 118_000_000, 5_000_000, 101.25, 0.985),
    Row("torch", "fp32", "try_on", 3.0, 400.0, 450.0, 500.0, 20, None, None, None),
)
REPORT = BenchmarkReport({"machine": "a, b", "date": "2026-11-22", "model": "tiny"}, ROWS)


def test_json_holds_every_row_unrounded() -> None:
    content = json.loads(REPORT.to_json())
    assert content["header"] == REPORT.header
    assert [Row(**row) for row in content["rows"]] == list(ROWS)


def test_csv_reads_back_after_its_commented_header() -> None:
    lines = REPORT.to_csv().splitlines()
    assert lines[:3] == ["# machine: a, b", "# date: 2026-11-22", "# model: tiny"]
    rows = list(csv.DictReader(lines[3:]))
    assert list(rows[0]) == [field.name for field in fields(Row)]
    for read, row in zip(rows, ROWS, strict=True):
        assert read == {key: "" if value is None else str(value) for key, value in asdict(row).items()}


def test_markdown_is_one_table_in_human_units() -> None:
    text = REPORT.to_markdown()
    assert "- machine: a, b\n" in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert table[2] == "| onnxruntime | fp32 | unet | 0.25 | 12.0 | 13.5 | 15.2 | 20 | 118.0 | 5.0 | 101.2 | 98% |"
    assert table[3].endswith("| 20 | – | – | – | – |")


def test_all_three_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    paths = write_report(REPORT, tmp_path / "new")
    assert [path.name for path in paths] == ["benchmark.json", "benchmark.csv", "benchmark.md"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)
    write_report(BenchmarkReport({}, ()), tmp_path / "new")
    assert json.loads((tmp_path / "new/benchmark.json").read_text())["rows"] == []


@pytest.mark.slow
def test_a_chart_is_a_png_that_grows_with_the_rows(tmp_path: Path) -> None:
    short = Image.open(draw_chart(REPORT, tmp_path / "short.png"))
    tall = Image.open(draw_chart(BenchmarkReport(REPORT.header, ROWS * 4), tmp_path / "tall.png"))
    assert short.format == tall.format == "PNG"
    assert tall.height > short.height
    assert len(short.convert("RGB").getcolors(maxcolors=1 << 20) or []) > 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["short.png", "tall.png"]


def test_a_chart_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no rows to draw"):
        draw_chart(BenchmarkReport({}, ()), tmp_path / "none.png")
    assert not list(tmp_path.iterdir())
