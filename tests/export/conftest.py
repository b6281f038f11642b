"""One bundle of the tiny model in both precisions, exported once, copied by the tests that damage it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from export.bundle import export_bundle
from lite_vton.bundle import Bundle, record_files, write_manifest
from lite_vton.inputs import TryOnInputs
from lite_vton.model.networks import Networks, random_networks
from lite_vton.presets import preset

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def networks() -> Networks:
    made = random_networks(preset("tiny"))
    return Networks(made.config, made.autoencoder, made.unet, latent_scale=0.5)


@pytest.fixture(scope="session")
def inputs() -> TryOnInputs:
    config, random = preset("tiny"), np.random.default_rng(0)
    size = (config.height, config.width)
    mask = np.zeros(size, np.float32)
    mask[16:48, 12:36] = 1
    person, garment, pose = (random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(3))
    return TryOnInputs.compose(person, mask, garment, mask, pose)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, networks: Networks, inputs: TryOnInputs) -> Bundle:
    target = tmp_path_factory.mktemp("exported") / "tiny"
    return export_bundle(networks, inputs, target, steps=3, seed=7)


@pytest.fixture
def damaged(tmp_path: Path, exported: Bundle) -> Callable[[Callable[[Path], None]], Bundle]:
    """Copy the bundle, damage the copy, and give it a manifest that believes the damage."""

    def copy(damage: Callable[[Path], None]) -> Bundle:
        root = tmp_path / "damaged"
        shutil.copytree(exported.root, root)
        damage(root)
        write_manifest(root, exported.manifest.model_copy(update={"files": record_files(root)}))
        return Bundle.open(root)

    return copy
