"""A model that is not told the pose goes the whole way, and pays for no pose: fewer channels, one encoding less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from lite_vton import TryOn
from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.networks import random_networks
from lite_vton.presets.conditioning import COMPONENTS_OF_PAPER
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.parity.golden import GOLDEN_PATH, load_trajectory
from lite_vton_export.verify.run import verify
from lite_vton_runtimes.sampling.pipeline import try_on

pytestmark = pytest.mark.slow

BLIND = COMPONENTS_OF_PAPER["A"].applied_to(preset("tiny"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, inputs: TryOnInputs) -> Bundle:
    target = tmp_path_factory.mktemp("blind") / "bundle"
    return export_bundle(random_networks(BLIND), inputs, target, precisions=("fp32",), steps=2)


def test_it_passes_verification_and_its_manifest_says_what_it_is_told(exported: Bundle) -> None:
    assert verify(exported, write=False).exit_code == 0
    manifest = exported.manifest
    assert [channels.name for channels in manifest.unet_channels] == ["noisy_latent", "mask", "masked_person"]
    assert manifest.model == BLIND
    assert manifest.model.mask == "plain"


def test_its_encoder_takes_one_picture(exported: Bundle) -> None:
    assert exported.manifest.components["vae_encoder"].inputs[0].shape == (1, 3, 64, 48)


def test_the_pose_is_neither_encoded_nor_given(exported: Bundle) -> None:
    unet = onnx.load(exported.path("onnx-fp32/unet/model.onnx"), load_external_data=False)
    assert unet.graph.input[0].type.tensor_type.shape.dim[1].dim_value == 9
    calls = [call.component for call in load_trajectory(exported.path(GOLDEN_PATH)).calls]
    assert calls == ["vae_encoder", "unet", "unet", "vae_decoder", "vae_decoder"]


def test_both_backends_paint_the_same_picture_whatever_the_pose(exported: Bundle, inputs: TryOnInputs) -> None:
    painted = []
    for backend, given in (("onnxruntime", inputs), ("torch", replace(inputs, pose=-inputs.pose))):
        with TryOn(exported, backend) as model:
            painted.append(model(given, steps=2, seed=3).decoded)
    np.testing.assert_allclose(*painted, atol=1e-3)


def test_a_condition_from_the_future_is_refused(exported: Bundle, inputs: TryOnInputs) -> None:
    conditions = ("noisy_latent", "mask", "depth")
    future = replace(BLIND, unet=replace(BLIND.unet, conditions=conditions))
    with TryOn(exported) as model, pytest.raises(UserError, match="told 'depth', which this lite-vton does not know"):
        try_on(model.runtime, inputs, future, 1.0)
