"""The package of runtimes/web, built where Node is, and what its tests are held against."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lite_vton.bundle import Bundle
from lite_vton.model.networks import random_networks
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from tests.made_once import made_once
from tests.runtimes.web.references import write_references

PACKAGE = Path(__file__).parents[3] / "runtimes/web"
OLDEST_NODE = 20

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def package() -> Path:
    """The folder runtimes/web with its dependencies installed and both its source and its tests compiled."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"needs Node {OLDEST_NODE} or newer with npm, and there is no {program} here")
    version = output("node", "--version")
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"needs Node {OLDEST_NODE} or newer, this is {version}")
    with (PACKAGE / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers of pytest may come here at once
        wanted, installed = PACKAGE / "package-lock.json", PACKAGE / "node_modules/.package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
            output("npm", "ci", "--no-progress")
        output("npm", "run", "build")
        output("npm", "run", "build-tests")
    return PACKAGE


def output(*command: str) -> str:
    """What `command` prints in the package's folder; a failed test with all it said where it fails."""
    done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}", pytrace=False)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `references.npz` in it."""
    folder = tmp_path_factory.mktemp("references")
    write_references(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return exported(tmp_path_factory, preset("tiny"), "web-tiny", ("fp32", "fp16", "int8"))


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """With an image encoder, and an autoencoder that takes one picture a call."""
    return exported(tmp_path_factory, preset("tiny-clip"), "web-tiny-clip", ("fp32",))


@pytest.fixture(scope="session")
def tiny_wide(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """With eight latent channels in place of Stable Diffusion's four."""
    tiny = preset("tiny")
    wide = replace(tiny, autoencoder=replace(tiny.autoencoder, latent_channels=8))
    return exported(tmp_path_factory, wide, "web-tiny-wide", ("fp32", "fp16"))


def exported(
    tmp_path_factory: pytest.TempPathFactory, config: ModelConfig, name: str, precisions: tuple[str, ...]
) -> Bundle:
    def export(path: Path) -> None:
        networks, random = random_networks(config), np.random.default_rng(0)
        size = (networks.config.height, networks.config.width)
        mask = np.zeros(size, np.float32)
        mask[16:48, 12:36] = 1
        person, garment, pose = (random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(3))
        on_white = random.integers(0, 256, (224, 224, 3), dtype=np.uint8) if networks.config.image_encoder else None
        inputs = TryOnInputs.compose(person, mask, garment, mask, pose, on_white)
        people = [inputs] if "int8" in precisions else []
        export_bundle(networks, inputs, path, precisions=precisions, steps=3, seed=7, calibration=people)

    return Bundle.open(made_once(tmp_path_factory, name, export))
