"""A model whose latents have not Stable Diffusion's four channels goes the whole way, in every format."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lite_vton import TryOn
from lite_vton.bundle import Bundle
from lite_vton.cli import main
from lite_vton.model.networks import random_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle, extend_bundle
from lite_vton_export.formats import FORMATS
from lite_vton_export.parity.closeness import picture_psnr
from lite_vton_export.parity.gates import GATES
from lite_vton_export.verify.run import verify
from lite_vton_runtimes.sampling.pipeline import TryOnResult

pytestmark = pytest.mark.slow

TINY = preset("tiny")
WIDE = replace(TINY, autoencoder=replace(TINY.autoencoder, latent_channels=8))
PRECISIONS = ("fp32", "fp16")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, inputs: TryOnInputs) -> Bundle:
    target = tmp_path_factory.mktemp("wide") / "bundle"
    return export_bundle(random_networks(WIDE), inputs, target, steps=2, seed=7, fused=True)


@pytest.fixture(scope="module")
def reference(exported: Bundle, inputs: TryOnInputs) -> TryOnResult:
    with TryOn(exported, "torch") as model:
        return model(inputs, steps=2, seed=7)


def test_the_bundle_says_how_many_channels_there_are_and_passes(exported: Bundle) -> None:
    manifest = exported.manifest
    assert manifest.model == WIDE
    assert [(one.name, one.start, one.stop) for one in manifest.unet_channels] == [
        ("noisy_latent", 0, 8), ("mask", 8, 9), ("masked_person", 9, 17), ("pose", 17, 25)
    ]  # fmt: skip
    unet = manifest.components["unet"]
    assert (unet.inputs[0].shape, unet.outputs[0].shape) == ((1, 25, 8, 6), (1, 8, 8, 6))
    assert verify(exported, write=False).exit_code == 0


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_onnx_runtime_paints_torchs_picture(
    precision: str, fused: bool, exported: Bundle, inputs: TryOnInputs, reference: TryOnResult
) -> None:
    with TryOn(exported, "onnxruntime", precision, fused=fused) as model:
        assert psnr(model(inputs, steps=2, seed=7), reference) >= GATES[precision].picture_psnr_db


@pytest.mark.parametrize(("name", "precision"), [("openvino", "fp32"), ("coreml", "fp16"), ("coreai", "fp16")])
def test_every_other_format_reaches_its_gate_and_paints_it_where_it_runs(
    name: str, precision: str, exported: Bundle, inputs: TryOnInputs, reference: TryOnResult, tmp_path: Path
) -> None:
    if FORMATS[name].missing:
        pytest.skip(f"needs {FORMATS[name].lacks}")
    bundle = extend_bundle(exported, tmp_path / "bundle", (name,), (precision,))
    told = bundle.manifest.artifacts[f"{name}-{precision}"].picture_psnr_db
    assert told is not None
    assert told >= GATES[precision].picture_psnr_db
    if name == "coreml":
        return  # `lite_vton_export.coreml.evaluator` holds it to its gate; it runs on Apple's alone
    with TryOn(bundle, name, precision) as model:
        assert psnr(model(inputs, steps=2, seed=7), reference) >= GATES[precision].picture_psnr_db


def test_noise_has_as_many_channels_in_every_step_that_draws_some(exported: Bundle, inputs: TryOnInputs) -> None:
    painted = []
    for backend in ("torch", "onnxruntime"):
        with TryOn(exported, backend) as model:
            painted.append(model(inputs, steps=3, seed=1, sampler="lcm"))
    assert psnr(*painted) >= GATES["fp32"].picture_psnr_db


def test_inspecting_shows_it(exported: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(exported.root)]) == 0
    assert "noisy_latent 8 | mask 1 | masked_person 8 | pose 8" in capsys.readouterr().out
    assert main(["inspect", str(exported.root), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)["model"]["unet"]["conditions"]
    assert written == [["noisy_latent", 8], ["mask", 1], ["masked_person", 8], ["pose", 8]]


def psnr(found: TryOnResult, wanted: TryOnResult) -> float:
    assert np.ptp(wanted.picture) > 0
    return picture_psnr(found.picture, wanted.picture)
