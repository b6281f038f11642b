"""The fused forms with fixed steps, of every format whose packages are here."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from export.bundle import extend_bundle
from export.formats import FORMATS
from export.fused import Parts
from export.gates import GATES
from export.verify import verify
from lite_vton import TryOn
from lite_vton.bundle import Artifact, Bundle, record_files, write_manifest
from lite_vton.errors import UserError
from lite_vton.inputs import TryOnInputs
from lite_vton.model.networks import Networks

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


def test_an_engine_is_built_again_and_compared_byte_for_byte(
    engine_cache: Path, exported: Bundle, tmp_path: Path
) -> None:
    assert engine_cache
    bundle = with_fused("tensorrt", "fp32", exported, tmp_path / "out")
    (row,) = verify(bundle, artifacts=["tensorrt-fp32-fused"], write=False).artifacts
    if row.skipped is None:
        pytest.skip("there is a GPU, so it was run")
    assert not row.failures
    assert any("when built again" in line for line in row.read_back)
    # An engine of other weights, under the record and the hashes of its own.
    root = shutil.copytree(bundle.root, tmp_path / "tampered")
    engine = root / "tensorrt-fp32-fused/model.engine"
    content = bytearray(engine.read_bytes())
    content[len(content) * 3 // 4] ^= 1
    engine.write_bytes(content)
    record = json.loads((engine.parent / "model.json").read_text())
    record["engine_sha256"] = hashlib.sha256(content).hexdigest()
    (engine.parent / "model.json").write_text(json.dumps(record))
    write_manifest(root, bundle.manifest.model_copy(update={"files": record_files(root)}))
    assert verify(Bundle.open(root), artifacts=["tensorrt-fp32-fused"], write=False).exit_code == 1


def test_an_engine_wants_the_onnx_files_beside_it(networks: Networks, tmp_path: Path) -> None:
    if FORMATS["tensorrt"].missing:
        pytest.skip(f"needs {FORMATS['tensorrt'].lacks}")
    from export.fused_tensorrt import write_fused_tensorrt

    bare = Artifact(format="tensorrt", precision="fp16", components={})
    parts = Parts(tmp_path, networks.config, networks.latent_scale, bare, 3, networks, {})
    with pytest.raises(UserError, match="add --format onnx"):
        write_fused_tensorrt(parts, tmp_path / "out")
