"""A model that looks at the garment through CLIP goes the whole way: export, verification, both runtimes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from lite_vton import TryOn
from lite_vton.bundle import Bundle, record_files
from lite_vton.errors import UserError
from lite_vton.model.components import components_of
from lite_vton.model.networks import random_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.parity.golden import GOLDEN_PATH, load_trajectory
from lite_vton_export.verify.run import verify

pytestmark = pytest.mark.slow

CLIP = preset("tiny-clip")


@pytest.fixture(scope="module")
def inputs() -> TryOnInputs:
    random, size = np.random.default_rng(0), (CLIP.height, CLIP.width)
    mask = np.zeros(size, np.float32)
    mask[16:48, 12:36] = 1
    person, warped, pose = (random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(3))
    garment = random.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    return TryOnInputs.compose(person, mask, warped, mask, pose, garment)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, inputs: TryOnInputs) -> Bundle:
    return export_bundle(random_networks(CLIP), inputs, tmp_path_factory.mktemp("clip") / "bundle", steps=2, seed=7)


def test_both_precisions_pass_verification_with_the_tower_among_the_components(exported: Bundle) -> None:
    report = verify(exported, write=False)
    assert report.exit_code == 0, str(report)
    for artifact in report.artifacts:
        assert {call.component for call in artifact.calls} == set(CLIP.components)
    assert exported.manifest.artifacts["onnx-fp16"].components["image_encoder"].precision_found == "fp16"


def test_the_unet_takes_the_tokens_the_tower_gives(exported: Bundle) -> None:
    unet = onnx.load(exported.path("onnx-fp32/unet/model.onnx"), load_external_data=False)
    assert [i.name for i in unet.graph.input] == ["sample", "timestep", "encoder_hidden_states"]
    calls = load_trajectory(exported.path(GOLDEN_PATH)).calls
    (tokens,) = (call.outputs["encoder_hidden_states"] for call in calls if call.component == "image_encoder")
    seen = [call.inputs["encoder_hidden_states"] for call in calls if call.component == "unet"]
    assert len(seen) == 2
    for found in seen:
        np.testing.assert_array_equal(found, tokens)


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_the_garment_alone_changes_the_picture(backend: str, exported: Bundle, inputs: TryOnInputs) -> None:
    assert inputs.garment is not None
    with TryOn(exported, backend) as model:
        one = model(inputs, steps=2)
        other = model(replace(inputs, garment=-inputs.garment), steps=2)
        again = model(inputs, steps=2)
    np.testing.assert_array_equal(one.decoded, again.decoded)
    assert np.abs(one.decoded - other.decoded).max() > 1e-4


def test_both_backends_paint_the_same_picture(exported: Bundle, inputs: TryOnInputs) -> None:
    pictures = []
    for backend in ("onnxruntime", "torch"):
        with TryOn(exported, backend) as model:
            pictures.append(model(inputs, steps=2, seed=3).decoded)
    np.testing.assert_allclose(*pictures, atol=1e-3)


def test_inputs_without_the_garment_are_refused(exported: Bundle, inputs: TryOnInputs) -> None:
    with TryOn(exported) as model, pytest.raises(UserError, match="looks at the garment"):
        model(replace(inputs, garment=None), steps=1)


def test_optimum_finds_the_towers_configuration(exported: Bundle) -> None:
    folder: Path = exported.path("onnx-fp32/image_encoder")
    assert (folder / "config.json").is_file()


def test_engines_hold_the_towers_weights_too(exported: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT: pip install 'lite-vton[tensorrt]'")
    from lite_vton_export.tensorrt.weights import foreign_weights
    from lite_vton_export.tensorrt.write import export_tensorrt

    monkeypatch.setenv("LITE_VTON_ENGINE_CACHE", "off")
    root = tmp_path / "bundle"
    shutil.copytree(exported.root, root)
    networks = random_networks(CLIP)
    for name, spec in components_of(CLIP).items():
        export_tensorrt(spec.wrap(networks), spec, CLIP, {"fp32": root / f"tensorrt-fp32/{name}"})
    bundle = Bundle(root, exported.manifest.model_copy(update={"files": record_files(root)}))
    assert foreign_weights(bundle, "fp32") == ()
    tower = root / "tensorrt-fp32/image_encoder/model.engine"
    content = tower.read_bytes()
    middle = len(content) - 40_000
    tower.write_bytes(content[:middle] + bytes(20_000) + content[middle + 20_000 :])
    (fault,) = foreign_weights(bundle, "fp32")
    assert "image_encoder.safetensors are not in the engines" in fault
