from __future__ import annotations

import json

import pytest

from lite_vton import BACKENDS
from lite_vton.cli import main
from lite_vton.presets.table import PRESETS
from lite_vton_export.formats import FORMATS


def test_doctor_knows_every_backend_and_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    abilities = {ability["name"]: ability["usable"] for ability in found["abilities"]}
    assert abilities["run on onnxruntime"] is True
    assert {f"run on {name}" for name in BACKENDS} | {f"export {name}" for name in FORMATS} <= set(abilities)
    assert int(found["machine"]["threads"]) >= 1


def test_doctor_says_whether_a_gpu_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    from lite_vton_runtimes.tensorrt.nvidia import first_gpu

    gpu = first_gpu()
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["GPU"] == ("no NVIDIA GPU" if gpu is None else str(gpu))
    (ability,) = (ability for ability in found["abilities"] if ability["name"] == "run on tensorrt")
    if gpu is None:
        assert ability["usable"] is False
        assert "GPU" in ability["install"] or "lite-vton[tensorrt]" in ability["install"]


def test_doctor_for_people_says_what_to_install_for_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "skia", None)  # how Python marks a module that is not there
    assert main(["doctor"]) == 0
    assert "pip install 'lite-vton[data]'" in capsys.readouterr().out


def test_models_lists_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == list(PRESETS)
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in PRESETS)


def test_one_model_is_shown_with_its_costs(capsys: pytest.CaptureFixture[str]) -> None:
    from lite_vton.model.networks import random_networks

    assert main(["models", "--preset", "tiny", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    unet = row["components"]["unet"]
    assert unet["parameters"] == sum(p.numel() for p in random_networks(PRESETS["tiny"]).unet.parameters())
    assert unet["weight_bytes"] == {"fp32": 4 * unet["parameters"], "fp16": 2 * unet["parameters"]}
    assert row["paper"] is None
    assert row["weights_shipped"] is False


@pytest.mark.slow
def test_the_papers_figures_stand_beside_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--preset", "litemp-vton"]) == 0
    shown = capsys.readouterr().out
    assert "202.05 M" in shown
    assert "286 M" in shown
    assert "238.24 (unet)" in shown


def test_formats_lists_formats_and_backends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["formats"]] == list(FORMATS)
    assert [row["name"] for row in found["backends"]] == list(BACKENDS)
    assert main(["formats"]) == 0
    assert "onnxruntime" in capsys.readouterr().out
