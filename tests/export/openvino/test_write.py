from __future__ import annotations

import copy
import dataclasses
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import openvino as ov
import pytest
import torch

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.components import components_of
from lite_vton.model.networks import Networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.openvino.int8 import to_int8
from lite_vton_export.openvino.precision import found_openvino_precision, openvino_shares
from lite_vton_export.openvino.write import export_openvino
from lite_vton_export.parity.gates import GATES
from lite_vton_export.verify.run import verify
from lite_vton_runtimes.openvino.runtime import compiled, has_half, read

pytestmark = pytest.mark.slow

PRECISIONS = ("fp32", "fp16", "bf16", "int8")
Spoilt = Callable[[Callable[[Path], object]], Bundle]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, networks: Networks, inputs: TryOnInputs) -> Bundle:
    other = TryOnInputs(inputs.person, inputs.mask, np.ascontiguousarray(inputs.masked_person[..., ::-1]), inputs.pose)
    target = tmp_path_factory.mktemp("openvino") / "tiny"
    return export_bundle(
        networks, inputs, target, ["openvino"], PRECISIONS, steps=3, seed=7, calibration=[other], calibration_source="x"
    )


def test_every_precision_reaches_its_gate_at_every_step(written: Bundle) -> None:
    report = verify(written, write=False)
    assert report.exit_code == 0, str(report)
    for row in report.artifacts:
        assert set(row.found.values()) == {row.precision}
        assert min(call.psnr_db for call in row.calls) >= GATES[row.precision].psnr_db
    full, _, _, integers = (row.worst("unet").psnr_db for row in report.artifacts)
    assert integers < full - 20  # really computed in 8 bits


@pytest.mark.skipif(not has_half("bf16"), reason="this CPU has no bfloat16: OpenVINO computes such files in float32")
def test_bfloat16_is_really_computed_so(written: Bundle) -> None:
    shares = openvino_shares(written.path("openvino-bf16/unet/model.xml"))
    assert (shares.weights, shares.multiplications, shares.note) == ({"bf16": 1.0}, {"bf16": 1.0}, "")
    full, half = verify(written, artifacts=["openvino-fp32", "openvino-bf16"], write=False).artifacts
    assert half.worst("unet").psnr_db < full.worst("unet").psnr_db - 20


def test_without_bfloat16_the_file_is_said_to_compute_in_float32(written: Bundle) -> None:
    path = written.path("openvino-bf16/unet/model.xml")
    shares = openvino_shares(path, half=False)
    assert (shares.weights, shares.multiplications) == ({"bf16": 1.0}, {"fp32": 1.0})
    assert shares.note == "computed in fp32 here: this CPU has no bfloat16"
    feed = {"sample": np.ones((1, 13, 8, 6), np.float32), "timestep": np.array([37])}
    (answer,) = compiled(read(path), "bf16", half=False)(feed).values()
    (exact,) = compiled(read(written.path("openvino-fp32/unet/model.xml")), "fp32")(feed).values()
    assert 0 < np.abs(answer - exact).max() < 0.05  # only the weights were rounded


@pytest.mark.skipif(has_half("fp16"), reason="this CPU has float16: nothing of a float16 file is computed in float32")
def test_float16_is_stored_and_said_to_be_computed_in_float32(written: Bundle) -> None:
    path = written.path("openvino-fp16/unet/model.xml")
    shares = openvino_shares(path)
    assert (shares.weights, shares.multiplications) == ({"fp16": 1.0}, {"fp32": 1.0})
    assert shares.note == "computed in fp32 here: this CPU has no float16"
    assert found_openvino_precision(path) == "fp16"


def test_a_weight_beyond_float16_is_an_error_and_not_clipped(networks: Networks, tmp_path: Path) -> None:
    loud = copy.deepcopy(networks.autoencoder)
    with torch.no_grad():
        next(p for name, p in loud.named_parameters() if "decoder" in name and p.ndim == 4)[0, 0, 0, 0] = 7e4
    spec = components_of(networks.config)["vae_decoder"]
    module = spec.wrap(dataclasses.replace(networks, autoencoder=loud))
    with pytest.raises(UserError, match="beyond float16"):
        export_openvino(module, spec, networks.config, {"fp16": tmp_path / "openvino-fp16/vae_decoder"})


def test_integers_have_most_of_the_work_and_the_rest_is_bfloat16(written: Bundle) -> None:
    shares = openvino_shares(written.path("openvino-int8/unet/model.xml"))
    assert shares.multiplications["int8"] > 0.9
    assert set(shares.multiplications) - {"int8"} <= ({"bf16", "fp32"} if has_half("bf16") else {"fp32"})
    report = verify(written, artifacts=["openvino-int8"], write=False)
    assert report.artifacts[0].shares["unet"] == shares
    assert "% of multiplications" in str(report)


@pytest.mark.parametrize(("precision", "most"), [("fp16", 0.55), ("bf16", 0.55), ("int8", 0.5)])
def test_files_shrink_with_the_precision(written: Bundle, precision: str, most: float) -> None:
    sizes = {p: written.path(f"openvino-{p}/unet/model.bin").stat().st_size for p in PRECISIONS}
    assert sizes[precision] < most * sizes["fp32"]


def test_a_file_met_alone_says_what_it_is(written: Bundle) -> None:
    info = read(written.path("openvino-int8/unet/model.xml")).get_rt_info(["lite_vton", "precision"])
    assert info.astype(str) == "int8"
    assert json.loads(written.path("verify.json").read_text())["artifacts"][3]["shares"]["unet"]["multiplications"]


def scaled(path: Path) -> None:
    """Make one layer's weights 5 % larger, in place: those that end the network, or in int8 their scales."""
    model = ov.Core().read_model(path, config={"ENABLE_MMAP": False})
    constants = [op for op in model.get_ordered_ops() if op.get_type_name() == "Constant"]
    scales = [op for op in constants if "fq_weights" in op.get_friendly_name() and op.get_element_type() == ov.Type.f32]
    floats = [op for op in constants if len(op.get_output_shape(0)) == 4 and op.get_element_type() != ov.Type.i8]
    constant = max(scales or floats, key=lambda op: op.data.size)
    grown = constant.data.astype(np.float32) * np.float32(1.05)
    made = ov.opset13.constant(grown, dtype=constant.get_element_type())
    for port in constant.output(0).get_target_inputs():
        port.replace_source_output(made.output(0))
    path.with_suffix(".bin").unlink()
    ov.save_model(model, path, compress_to_fp16=False)


@pytest.mark.parametrize(
    ("precision", "component"),
    [
        ("fp32", "unet"),
        ("fp16", "unet"),
        ("bf16", "unet"),
        *(("int8", component) for component in preset("tiny").components),
    ],
)
def test_a_layer_5_percent_off_is_found_by_the_numbers(precision: str, component: str, spoilt: Spoilt) -> None:
    bundle = spoilt(lambda root: scaled(root / f"openvino-{precision}/{component}/model.xml"))
    report = verify(bundle, artifacts=[f"openvino-{precision}"], write=False)
    assert report.exit_code == 1
    told = (component, "final picture", "picture_psnr_db")
    assert all(any(word in text for word in told) for text in report.artifacts[0].failures), report.artifacts[
        0
    ].failures


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_inputs_swapped_are_found_by_the_numbers(precision: str, spoilt: Spoilt) -> None:
    def swap(root: Path) -> None:
        """Show the U-Net the pose where it looks for the person."""
        path = root / f"openvino-{precision}/unet/model.xml"
        model = ov.Core().read_model(path, config={"ENABLE_MMAP": False})
        (sample,) = (p for p in model.get_parameters() if "sample" in p.output(0).get_names())
        users = sample.output(0).get_target_inputs()
        order = ov.opset13.constant(np.array([*range(5), *range(9, 13), *range(5, 9)], np.int64))
        turned = ov.opset13.gather(sample, order, ov.opset13.constant(np.int64(1)))
        for port in users:
            port.replace_source_output(turned.output(0))
        path.with_suffix(".bin").unlink()
        ov.save_model(model, path, compress_to_fp16=False)

    report = verify(spoilt(swap), artifacts=[f"openvino-{precision}"], write=False)
    assert report.exit_code == 1
    assert any(text.startswith("unet") for text in report.artifacts[0].failures)


@pytest.mark.parametrize(("claimed", "real"), [("fp16", "fp32"), ("bf16", "fp16"), ("int8", "bf16")])
def test_another_precision_in_its_place_fails(claimed: str, real: str, spoilt: Spoilt) -> None:
    def swap(root: Path) -> None:
        for name in ("model.xml", "model.bin"):
            shutil.copy(root / f"openvino-{real}/unet/{name}", root / f"openvino-{claimed}/unet/{name}")

    report = verify(spoilt(swap), artifacts=[f"openvino-{claimed}"], write=False)
    assert report.exit_code == 1
    assert f"unet is {real} inside, not {claimed}" in report.artifacts[0].failures


def cut(root: Path) -> None:
    blob = root / "openvino-fp32/unet/model.bin"
    blob.write_bytes(blob.read_bytes()[:1000])


def remove(root: Path) -> None:
    (root / "openvino-fp32/unet/model.bin").unlink()


def halve(root: Path) -> None:
    graph = root / "openvino-fp32/unet/model.xml"
    graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])


def test_a_file_without_its_weights_is_refused_when_the_bundle_is_opened(spoilt: Spoilt) -> None:
    with pytest.raises(UserError, match=r"names the file 'model\.bin', which the manifest does not list"):
        spoilt(remove)


@pytest.mark.parametrize("damage", [cut, halve])
def test_files_that_are_not_whole_are_one_line(damage: Callable[[Path], None], spoilt: Spoilt) -> None:
    bundle = spoilt(damage)
    report = verify(bundle, artifacts=["openvino-fp32"], write=False)
    assert report.exit_code == 1
    (failure,) = report.artifacts[0].failures
    assert "OpenVINO cannot read" in failure
    assert "\n" not in failure
    with pytest.raises(UserError, match="export it again"):
        found_openvino_precision(bundle.root / "openvino-fp32/unet/model.xml")


def test_a_set_without_people_or_an_unknown_precision_is_refused(
    written: Bundle, networks: Networks, inputs: TryOnInputs, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="export bf16, which needs none"):
        to_int8(read(written.path("openvino-fp32/unet/model.xml")), Path("model.onnx"), [])
    with pytest.raises(UserError, match="calibration set is empty"):
        export_bundle(networks, inputs, tmp_path / "out", ["openvino"], ["int8"], steps=1)
    spec = components_of(networks.config)["vae_decoder"]
    with pytest.raises(UserError, match="not written in 'p6'"):
        export_openvino(spec.wrap(networks), spec, networks.config, {"p6": tmp_path / "a"})
    assert list(tmp_path.iterdir()) == []


def test_an_operator_it_does_not_know_is_one_line(networks: Networks, tmp_path: Path) -> None:
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Dream", ["sample"], ["latent_parameters"], domain="elsewhere")],
        "g",
        [tensor("sample", onnx.TensorProto.FLOAT, (1, 3, 8, 8))],
        [tensor("latent_parameters", onnx.TensorProto.FLOAT, (1, 3, 8, 8))],
    )
    domains = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("elsewhere", 1)]
    source = tmp_path / "onnx-fp32/vae_encoder/model.onnx"
    source.parent.mkdir(parents=True)
    onnx.save(onnx.helper.make_model(graph, opset_imports=domains), source)
    spec = components_of(networks.config)["vae_encoder"]
    target = tmp_path / "openvino-fp32/vae_encoder"
    told = logging.getLogger().level
    with pytest.raises(UserError, match=r"cannot convert vae_encoder \(.*export onnx instead") as caught:
        export_openvino(spec.wrap(networks), spec, networks.config, {"fp32": target})
    assert "Dream" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    assert logging.getLogger().level == told  # of everybody in this process
