"""The fused forms with fixed steps, of every format whose packages are here."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lite_vton import TryOn
from lite_vton.bundle import Artifact, Bundle, record_files, write_manifest
from lite_vton.errors import UserError
from lite_vton.model.networks import Networks, random_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle, extend_bundle
from lite_vton_export.formats import FORMATS
from lite_vton_export.fused.parts import Parts
from lite_vton_export.parity.closeness import picture_psnr
from lite_vton_export.parity.gates import GATES
from lite_vton_export.verify.run import verify

pytestmark = pytest.mark.slow

FORMATS_AND_PRECISIONS = [("openvino", "bf16"), ("coreml", "fp16"), ("coreai", "fp32")]


def with_fused(format: str, precision: str, exported: Bundle, target: Path) -> Bundle:
    if FORMATS[format].missing:
        pytest.skip(f"needs {FORMATS[format].lacks}")
    return extend_bundle(exported, target, (format,), (precision,), fused=True)


def size_of(bundle: Bundle, folder: str) -> int:
    return sum(record.bytes for name, record in bundle.manifest.files.items() if name.startswith(f"{folder}/"))


@pytest.mark.parametrize(("format", "precision"), FORMATS_AND_PRECISIONS)
def test_a_format_with_fixed_steps_reaches_its_gate_and_holds_weights_once(
    format: str, precision: str, exported: Bundle, inputs: TryOnInputs, tmp_path: Path
) -> None:
    bundle = with_fused(format, precision, exported, tmp_path / "out")
    told = bundle.manifest.fused[f"{format}-{precision}-fused"]
    assert told.steps == 3
    assert told.picture_psnr_db is not None
    assert told.picture_psnr_db >= GATES[precision].picture_psnr_db
    if format == "openvino":
        with TryOn(bundle, format, precision, fused=True) as model, pytest.raises(UserError, match="makes 3 steps"):
            model(inputs, steps=4)
    # The graph is written out step by step, so that of a tiny network it is as large as the weights.
    weights = size_of(exported, "onnx-fp32") / (1 if precision == "fp32" else 2)
    assert size_of(bundle, f"{format}-{precision}-fused/") < size_of(bundle, f"{format}-{precision}/") + weights


def test_openvino_takes_one_picture_a_call_and_a_garments_tokens(tmp_path: Path) -> None:
    if FORMATS["openvino"].missing:
        pytest.skip(f"needs {FORMATS['openvino'].lacks}")
    precision, networks = "fp32", random_networks(preset("tiny-clip"))
    config, random = networks.config, np.random.default_rng(0)
    assert config.encoder_batch == 1
    size = (config.height, config.width)
    person, garment, pose = (random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(3))
    shown = random.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    mask = np.zeros(size, np.float32)
    mask[16:48, 12:36] = 1
    inputs = TryOnInputs.compose(person, mask, garment, mask, pose, shown)
    bundle = export_bundle(networks, inputs, tmp_path / "b", ("openvino",), (precision,), steps=2, fused=True)
    told = bundle.manifest.fused[f"openvino-{precision}-fused"].picture_psnr_db
    assert told is not None
    assert told >= GATES[precision].picture_psnr_db
    with (
        TryOn(bundle, "openvino", precision) as parts,
        TryOn(bundle, "openvino", precision, fused=True) as whole,
    ):
        wanted, found = (model(inputs, steps=2, seed=5).picture for model in (parts, whole))
    assert picture_psnr(found, wanted) >= GATES[precision].picture_psnr_db


def test_an_engine_of_another_build_passes_and_one_layer_5_percent_off_does_not(
    engines: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = extend_bundle(engines, tmp_path / "out", ("tensorrt",), ("fp32",), fused=True)
    with monkeypatch.context() as patch:
        patch.setenv("LITE_VTON_ENGINE_CACHE", "off")  # really built again
        (row,) = verify(bundle, artifacts=["tensorrt-fp32-fused"], write=False).artifacts
    if row.skipped is None:
        pytest.skip("there is a GPU, so it was run")
    assert not row.failures
    assert any("when built again" in line for line in row.read_back)
    # An engine of other weights, under the record and the hashes of its own.
    root = shutil.copytree(bundle.root, tmp_path / "tampered")
    engine = root / "tensorrt-fp32-fused/model.engine"
    content = with_a_layer_scaled(engine.read_bytes(), root / "weights/unet.safetensors")
    engine.write_bytes(content)
    record = json.loads((engine.parent / "model.json").read_text())
    record["engine_sha256"] = hashlib.sha256(content).hexdigest()
    (engine.parent / "model.json").write_text(json.dumps(record))
    write_manifest(root, bundle.manifest.model_copy(update={"files": record_files(root)}))
    report = verify(Bundle.open(root), artifacts=["tensorrt-fp32-fused"], write=False)
    assert report.exit_code == 1
    assert report.artifacts[0].failures == ("the engine is not what the bundle's onnx-fp32 gives",)


def with_a_layer_scaled(content: bytes, weights: Path) -> bytes:
    """One convolution's weights 5 % larger where they lie in the engine, channels last."""
    kernels = [tensor for tensor in load_file(weights).values() if tensor.ndim == 4 and tensor.shape[2] > 1]
    for kernel in kernels:
        inside = np.ascontiguousarray(np.moveaxis(kernel, 1, -1))
        if content.count(inside.tobytes()) == 1:
            return content.replace(inside.tobytes(), (inside * np.float32(1.05)).tobytes())
    raise AssertionError("no convolution lies in the engine as expected")


def test_an_engine_wants_the_onnx_files_beside_it(networks: Networks, tmp_path: Path) -> None:
    if FORMATS["tensorrt"].missing:
        pytest.skip(f"needs {FORMATS['tensorrt'].lacks}")
    from lite_vton_export.tensorrt.fused import write_fused_tensorrt

    bare = Artifact(format="tensorrt", precision="fp16", components={})
    parts = Parts(tmp_path, networks.config, networks.latent_scale, bare, 3, networks, {})
    with pytest.raises(UserError, match="add --format onnx"):
        write_fused_tensorrt(parts, tmp_path / "out")
