"""How near a package with palettes stays to the network it is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lite_vton.model.components import components_of
from lite_vton.model.networks import random_networks
from lite_vton.presets.config import AutoencoderKLConfig
from lite_vton.presets.table import preset
from lite_vton_export.parity.closeness import closeness
from lite_vton_export.parity.gates import GATES

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

from lite_vton_export.coreml.evaluator import Evaluator
from lite_vton_export.coreml.precision import found_coreml_precision
from lite_vton_export.coreml.write import export_coreml


@pytest.mark.slow
def test_six_bits_carry_a_smooth_picture_through_an_encoder_with_much_room(tmp_path: Path) -> None:
    # Four levels, nothing around the convolutions that halve: with the nearest of each palette it misses the gate.
    autoencoder = AutoencoderKLConfig(channels=(32, 32, 32, 32), layers_per_block=1, norm_groups=8)
    config = replace(preset("tiny"), height=96, width=96, autoencoder=autoencoder, encoder_batch=1)
    spec = components_of(config)["vae_encoder"]
    encoder = spec.wrap(random_networks(config)).eval()
    across, down = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(-1, 1, 96))
    picture = np.stack([across, down, across * down])[None].astype(np.float32)
    with torch.no_grad():
        expected = encoder(torch.from_numpy(picture)).numpy()
    (path,) = export_coreml(encoder, spec, config, {"p6": tmp_path / "p6"}).values()
    assert found_coreml_precision(path) == "p6"
    found = Evaluator.of_package(path)({"sample": picture})["latent_parameters"]
    assert 1 - closeness(found, expected).cosine < 0.6 * (1 - GATES["p6"].cosine)
