from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lite_vton.errors import UserError
from lite_vton.model.components import component_tensors
from lite_vton.model.networks import Networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.calibration import check_people, record_calibration
from lite_vton_export.bundle.export import export_bundle, plan_export


def test_every_call_of_every_person_is_kept(networks: Networks, inputs: TryOnInputs) -> None:
    mirrored = replace(inputs, masked_person=np.ascontiguousarray(inputs.masked_person[..., ::-1]))
    recorded = record_calibration(networks, [inputs, mirrored], steps=3, seed=5)
    assert {name: len(calls) for name, calls in recorded.items()} == {"vae_encoder": 2, "unet": 6, "vae_decoder": 4}
    for name, tensors in component_tensors(networks.config).items():
        for call in recorded[name]:
            assert {key: (a.shape, a.dtype.name) for key, a in call.items()} == {
                spec.name: (spec.shape, spec.dtype) for spec in tensors.inputs
            }
    times = [int(call["timestep"][0]) for call in recorded["unet"]]
    assert times[:3] == times[3:] == sorted(times[:3], reverse=True)
    assert len(set(times)) == 3  # a whole trajectory, not one timestep


def test_people_start_from_noise_of_their_own(networks: Networks, inputs: TryOnInputs) -> None:
    twice = record_calibration(networks, [inputs, inputs], steps=1, seed=5)["unet"]
    noisy = slice(0, 4)
    assert np.abs(twice[0]["sample"][:, noisy] - twice[1]["sample"][:, noisy]).max() > 0.1
    np.testing.assert_array_equal(twice[0]["sample"][:, 4:], twice[1]["sample"][:, 4:])


def test_only_what_is_quantised_to_ranges_asks_for_people(tmp_path: Path) -> None:
    config = preset("tiny")
    assert plan_export(config, tmp_path, ["onnx"], ["fp32", "int8"]).is_calibrated
    assert not plan_export(config, tmp_path, ["onnx"], ["fp32", "fp16", "w8"]).is_calibrated


def test_an_empty_set_is_refused_and_nothing_written(networks: Networks, inputs: TryOnInputs, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="calibration set is empty"):
        export_bundle(networks, inputs, tmp_path / "out", precisions=["int8"], steps=1)
    assert list(tmp_path.iterdir()) == []


def test_a_set_for_another_model_is_refused(inputs: TryOnInputs) -> None:
    tiny = preset("tiny")
    with pytest.raises(UserError, match=r"person 0: person is \(1, 3, 64, 48\), demo takes \(1, 3, 256, 192\)"):
        check_people([inputs], preset("demo"))
    with pytest.raises(UserError, match="person 1: garment is missing, tiny-clip takes"):
        check_people([replace(inputs, garment=np.zeros((1, 3, 224, 224), np.float32)), inputs], preset("tiny-clip"))
    with pytest.raises(UserError, match=r"mask is \(1, 3, 64, 48\)"):
        check_people([replace(inputs, mask=inputs.person)], tiny)
    broken = inputs.person.copy()
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(UserError, match="person holds NaN"):
        check_people([replace(inputs, person=broken)], tiny)
    check_people([inputs], tiny)
