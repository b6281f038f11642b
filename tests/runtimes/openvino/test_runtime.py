from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

from lite_vton import load
from lite_vton.bundle import Artifact, Bundle, ComponentFiles, ComponentTensors, record_files, write_manifest
from lite_vton.errors import UserError
from lite_vton_runtimes.onnxruntime.runtime import OnnxRuntime
from lite_vton_runtimes.openvino.runtime import OpenVinoRuntime, compiled, has_half, read


@pytest.fixture(scope="module")
def converted(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The small bundle once more, as OpenVINO's files."""
    root = tmp_path_factory.mktemp("openvino")
    files = {}
    for name in made.bundle.manifest.components:
        files[name] = f"openvino-fp32/{name}/model.xml"
        model = ov.convert_model(made.bundle.path(f"onnx-fp32/{name}/model.onnx"))
        ov.save_model(model, root / files[name], compress_to_fp16=False)
    components = {name: ComponentFiles(model=file, precision_found="fp32") for name, file in files.items()}
    artifact = Artifact(format="openvino", precision="fp32", components=components)
    update = {"artifacts": {"openvino-fp32": artifact}, "files": record_files(root), "golden": None}
    write_manifest(root, made.bundle.manifest.model_copy(update=update))
    return Bundle.open(root)


def arrays_for(tensors: ComponentTensors, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        spec.name: np.array([37]) if spec.dtype == "int64" else random.standard_normal(spec.shape, dtype=np.float32)
        for spec in tensors.inputs
    }


def test_it_answers_as_onnx_runtime_does(made: Any, converted: Bundle) -> None:
    runtime = load(converted, "openvino", "fp32")
    assert runtime.name == "openvino-fp32"
    for name, tensors in converted.manifest.components.items():
        fed = arrays_for(tensors)
        expected = OnnxRuntime(made.bundle).components[name](fed)
        for key, answer in runtime.components[name](fed).items():
            np.testing.assert_allclose(answer, expected[key], atol=1e-4)
    runtime.close()
    assert not runtime.components


def test_answers_stay_as_they_were_after_the_next_call(converted: Bundle) -> None:
    runtime = OpenVinoRuntime(converted, threads=1)
    tensors = converted.manifest.components["vae_decoder"]
    first = runtime.components["vae_decoder"](arrays_for(tensors))["sample"]
    kept = first.copy()
    second = runtime.components["vae_decoder"](arrays_for(tensors, seed=1))["sample"]
    np.testing.assert_array_equal(first, kept)
    assert np.abs(second - first).max() > 0.01


def test_float32_files_are_computed_in_float32_also_where_the_cpu_has_bfloat16(converted: Bundle) -> None:
    path = converted.path("openvino-fp32/unet/model.xml")
    kinds = {
        precision: {
            layer.get_rt_info()["runtimePrecision"].astype(str)
            for layer in compiled(read(path), precision).get_runtime_model().get_ops()
            if layer.get_rt_info()["layerType"].astype(str) == "Convolution"
        }
        for precision in ("fp32", "bf16")
    }
    assert kinds == {"fp32": {"f32"}, "bf16": {"bf16" if has_half("bf16") else "f32"}}


def test_what_the_bundle_lacks_is_said(converted: Bundle, made: Any) -> None:
    with pytest.raises(UserError, match="no OpenVINO at precision 'int8': it has fp32"):
        OpenVinoRuntime(converted, "int8")
    with pytest.raises(UserError, match="has no OpenVINO at precision 'fp32': export the model itself"):
        OpenVinoRuntime(made.bundle)
    with pytest.raises(UserError, match="no execution provider 'cpu'"):
        load(converted, "openvino", "fp32", provider="cpu")


def test_a_file_that_is_not_what_the_manifest_declares_is_refused(converted: Bundle) -> None:
    tensors = dict(converted.manifest.components)
    (output,) = tensors["unet"].outputs
    wrong = tensors["unet"].model_copy(update={"outputs": (output.model_copy(update={"name": "other"}),)})
    manifest = converted.manifest.model_copy(update={"components": tensors | {"unet": wrong}})
    runtime = OpenVinoRuntime(Bundle(converted.root, manifest))
    with pytest.raises(UserError, match="its manifest says"):
        runtime.components["unet"](arrays_for(wrong))


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
def test_a_damaged_file_is_one_line_naming_it(name: str, converted: Bundle, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(converted.root, tmp_path / "copy")
    file = tmp_path / f"copy/openvino-fp32/unet/{name}"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
    runtime = OpenVinoRuntime(Bundle.open(tmp_path / "copy", check=False))
    with pytest.raises(UserError, match=r"cannot read .*unet/model\.xml") as caught:
        runtime.components["unet"](arrays_for(converted.manifest.components["unet"]))
    assert "\n" not in str(caught.value)
