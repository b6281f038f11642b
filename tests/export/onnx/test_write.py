from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from diffusers import DDIMScheduler, UNet2DConditionModel

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.components import COMPONENTS
from lite_vton.model.networks import Networks
from lite_vton.presets.table import preset
from lite_vton_export.onnx.write import export_onnx

pytestmark = pytest.mark.slow

FILES = [f"onnx-{precision}/{name}/model.onnx" for precision in ("fp32", "fp16") for name in preset("tiny").components]


@pytest.mark.parametrize("file", FILES)
def test_a_file_met_alone_explains_itself(exported: Bundle, file: str) -> None:
    model = onnx.load(exported.path(file))
    folder, component, _ = file.split("/")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata == {
        "lite_vton.kind": "lite-vton-bundle",
        "lite_vton.schema_version": "1",
        "lite_vton.model": "tiny",
        "lite_vton.component": component,
        "lite_vton.precision": folder.removeprefix("onnx-"),
        "lite_vton.height": "64",
        "lite_vton.width": "48",
        "lite_vton.latent_scale": "0.5",
        "lite_vton.unet_channels": "noisy_latent:0-4,mask:4-5,masked_person:5-9,pose:9-13",
        "lite_vton.license": "Apache-2.0",
    }
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]


@pytest.mark.parametrize("file", FILES)
def test_tensors_are_those_of_the_manifest_and_float32_at_any_precision(exported: Bundle, file: str) -> None:
    graph = onnx.load(exported.path(file)).graph
    declared = exported.manifest.components[file.split("/")[1]]
    kinds = {"float32": onnx.TensorProto.FLOAT, "int64": onnx.TensorProto.INT64}
    for values, specs in ((graph.input, declared.inputs), (graph.output, declared.outputs)):
        found = [
            (v.name, tuple(d.dim_value for d in v.type.tensor_type.shape.dim), v.type.tensor_type.elem_type)
            for v in values
        ]
        assert found == [(spec.name, spec.shape, kinds[spec.dtype]) for spec in specs]


def test_no_path_of_the_exporting_machine_is_in_the_files(exported: Bundle) -> None:
    here = str(Path(__file__).parents[3]).encode()
    for file in FILES:
        data = exported.path(file).read_bytes()
        assert here not in data
        assert b"site-packages" not in data


def test_diffusers_reads_the_layout(exported: Bundle) -> None:
    scheduler = DDIMScheduler.from_pretrained(exported.path("onnx-fp16"), subfolder="scheduler")
    assert scheduler.config.num_train_timesteps == 600
    shape = UNet2DConditionModel.load_config(exported.path("onnx-fp16/unet"))
    assert shape["in_channels"] == 13
    index = json.loads(exported.path("onnx-fp16/model_index.json").read_text())
    for name in (*preset("tiny").components, "scheduler"):
        assert index[name][0] == "diffusers"
        assert exported.path(f"onnx-fp16/{name}").is_dir()


def test_an_unknown_precision_is_refused_before_any_work(tmp_path: Path, networks: Networks) -> None:
    spec = COMPONENTS["vae_decoder"]
    with pytest.raises(UserError, match="'fp8'"):
        export_onnx(spec.wrap(networks), spec, networks.config, {"fp8": tmp_path / "out"})
    assert not (tmp_path / "out").exists()
