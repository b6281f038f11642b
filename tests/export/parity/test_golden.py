from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.components import COMPONENTS, components_of
from lite_vton.model.networks import load_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.parity.golden import GOLDEN_PATH, load_trajectory, save_trajectory


def test_every_call_of_the_run_is_there(exported: Bundle) -> None:
    golden = load_trajectory(exported.path(GOLDEN_PATH))
    assert Counter(call.component for call in golden.calls) == {"vae_encoder": 1, "unet": 3, "vae_decoder": 2}
    assert (golden.steps, golden.seed, golden.method) == (3, 7, "ddim")
    timesteps = [int(call.inputs["timestep"][0]) for call in golden.calls if call.component == "unet"]
    assert timesteps == sorted(timesteps, reverse=True)
    assert timesteps[0] == 599


def test_the_run_is_on_the_inputs_given_and_hangs_together(exported: Bundle, inputs: TryOnInputs) -> None:
    golden = load_trajectory(exported.path(GOLDEN_PATH))
    np.testing.assert_array_equal(golden.inputs.person, inputs.person)
    first = next(call for call in golden.calls if call.component == "vae_encoder")
    np.testing.assert_array_equal(first.inputs["sample"], np.concatenate([inputs.masked_person, inputs.pose]))
    last = golden.calls[-1]
    assert last.component == "vae_decoder"
    np.testing.assert_array_equal(last.outputs["sample"], golden.decoded)


def test_the_outputs_are_those_of_the_weights_in_the_bundle(exported: Bundle) -> None:
    import torch

    paths = (exported.path(f"weights/{name}.safetensors") for name in ("autoencoder", "unet"))
    networks = load_networks(exported.manifest.model, *paths)
    assert networks.latent_scale == exported.manifest.latent_scale == 0.5
    for call in load_trajectory(exported.path(GOLDEN_PATH)).calls:
        spec = COMPONENTS[call.component]
        arguments = [torch.from_numpy(np.array(call.inputs[t.name])) for t in spec.inputs(networks.config)]
        with torch.no_grad():
            answer = spec.wrap(networks).eval()(*arguments).numpy()
        (output,) = call.outputs.values()
        np.testing.assert_allclose(answer, output, rtol=1e-4, atol=1e-5)


def test_what_is_saved_loads_the_same(exported: Bundle, tmp_path: Path) -> None:
    golden = load_trajectory(exported.path(GOLDEN_PATH))
    save_trajectory(golden, tmp_path / "again.npz")
    again = load_trajectory(tmp_path / "again.npz")
    assert [(c.component, c.index) for c in again.calls] == [(c.component, c.index) for c in golden.calls]
    np.testing.assert_array_equal(again.picture, golden.picture)
    with np.load(tmp_path / "again.npz", allow_pickle=False) as archive:
        names = {key.split(".")[0] for key in archive}
    assert names == {*components_of(preset("tiny")), "inputs", "picture", "decoded", "method", "steps", "seed"}


def test_a_trajectory_with_a_key_missing_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", picture=np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(UserError, match="no golden trajectory"):
        load_trajectory(tmp_path / "t.npz")
