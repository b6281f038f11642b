from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.bundle import export_bundle
from export.gates import GATES
from export.onnx_int8 import to_int8, to_w8
from export.precision import found_precision, precision_shares
from export.verify import verify
from lite_vton.bundle import Bundle, record_files, write_manifest
from lite_vton.errors import UserError
from lite_vton.inputs import TryOnInputs
from lite_vton.model.networks import Networks
from lite_vton.presets import preset


@pytest.fixture(scope="module")
def eight_bits(tmp_path_factory: pytest.TempPathFactory, networks: Networks, inputs: TryOnInputs) -> Bundle:
    target = tmp_path_factory.mktemp("eight-bits") / "tiny"
    other = TryOnInputs(inputs.person, inputs.mask, np.ascontiguousarray(inputs.masked_person[..., ::-1]), inputs.pose)
    return export_bundle(
        networks,
        inputs,
        target,
        precisions=["int8", "w8"],
        steps=3,
        seed=7,
        calibration=[other],
        calibration_source="one mirrored person",
    )


def test_both_reach_their_gates_at_every_step(eight_bits: Bundle) -> None:
    report = verify(eight_bits, write=False)
    assert report.exit_code == 0, str(report)
    for row in report.artifacts:
        assert set(row.found.values()) == {row.precision}
        assert min(call.psnr_db for call in row.calls) >= GATES[row.precision].psnr_db
    integers, weights_only = report.artifacts
    assert integers.worst("unet").psnr_db < weights_only.worst("unet").psnr_db  # activations are rounded as well


def test_the_manifest_says_what_was_calibrated_on(eight_bits: Bundle, exported: Bundle) -> None:
    calibration = eight_bits.manifest.calibration
    assert calibration is not None
    assert calibration.model_dump() == {"source": "one mirrored person", "people": 1, "steps": 3, "seed": 8}
    assert exported.manifest.calibration is None


@pytest.mark.parametrize("component", preset("tiny").components)
def test_weights_take_a_quarter_of_their_room(eight_bits: Bundle, exported: Bundle, component: str) -> None:
    def bytes_of(path: Path) -> int:
        return sum(len(tensor.raw_data) for tensor in onnx.load(path).graph.initializer)

    full = bytes_of(exported.path(f"onnx-fp32/{component}/model.onnx"))
    assert bytes_of(eight_bits.path(f"onnx-w8/{component}/model.onnx")) < 0.4 * full


def test_shares_tell_integers_from_float(eight_bits: Bundle) -> None:
    integers = precision_shares(eight_bits.path("onnx-int8/unet/model.onnx"))
    assert set(integers) == {"int8", "fp32"}
    assert integers["int8"] > 0.9
    assert sum(integers.values()) == pytest.approx(1)
    assert precision_shares(eight_bits.path("onnx-w8/unet/model.onnx")) == {"w8": 1.0}


def test_every_scale_is_symmetric_as_npus_want_it(eight_bits: Bundle) -> None:
    graph = onnx.load(eight_bits.path("onnx-int8/unet/model.onnx")).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    points = [constants[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"]
    assert points
    assert all(point.dtype == np.int8 and not point.any() for point in points)


def damaged(bundle: Bundle, folder: Path, damage: Callable[[Path], None]) -> Bundle:
    root = folder / "damaged"
    shutil.copytree(bundle.root, root)
    damage(root)
    write_manifest(root, bundle.manifest.model_copy(update={"files": record_files(root)}))
    return Bundle.open(root)


@pytest.mark.parametrize("precision", ["int8", "w8"])
def test_a_layer_scaled_a_little_is_found_by_the_numbers(precision: str, eight_bits: Bundle, tmp_path: Path) -> None:
    def scale(root: Path) -> None:
        path = root / f"onnx-{precision}/vae_decoder/model.onnx"
        model = onnx.load(path)
        scales = {node.input[1] for node in model.graph.node if node.op_type == "DequantizeLinear"}
        # Per output channel, so of a weight: the last layer that has one.
        last = [t for t in model.graph.initializer if t.name in scales and len(t.dims) == 1 and t.dims[0] > 1][-1]
        last.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(last) * np.float32(1.05), last.name))
        onnx.save(model, path)

    name = f"onnx-{precision}"
    intact = verify(eight_bits, artifacts=[name], write=False).artifacts[0].worst("vae_decoder")
    report = verify(damaged(eight_bits, tmp_path, scale), artifacts=[name], min_psnr=intact.psnr_db - 0.5, write=False)
    assert report.exit_code == 1
    assert all(failure.startswith("vae_decoder step") for failure in report.artifacts[0].failures)


def test_weights_only_claimed_as_int8_is_caught(eight_bits: Bundle, tmp_path: Path) -> None:
    def swap(root: Path) -> None:
        shutil.copy(root / "onnx-w8/unet/model.onnx", root / "onnx-int8/unet/model.onnx")

    report = verify(damaged(eight_bits, tmp_path, swap), artifacts=["onnx-int8"], write=False)
    assert report.exit_code == 1
    assert report.artifacts[0].failures == ("unet is w8 inside, not int8",)


def test_inputs_swapped_are_caught(eight_bits: Bundle, tmp_path: Path) -> None:
    def turn(root: Path) -> None:
        path = root / "onnx-int8/unet/model.onnx"
        model = onnx.load(path)
        for node in model.graph.node:
            if node.op_type == "Slice" and node.input[0] == "sample":
                starts = next(t for t in model.graph.initializer if t.name == node.input[1])
                starts.CopyFrom(numpy_helper.from_array(np.array([5], np.int64), starts.name))
                ends = next(t for t in model.graph.initializer if t.name == node.input[2])
                ends.CopyFrom(numpy_helper.from_array(np.array([9], np.int64), ends.name))
                break
        onnx.save(model, path)

    report = verify(damaged(eight_bits, tmp_path, turn), artifacts=["onnx-int8"], write=False)
    assert report.exit_code == 1
    assert any(failure.startswith("unet") for failure in report.artifacts[0].failures)


def test_int8_without_calibration_is_refused(exported: Bundle) -> None:
    with pytest.raises(UserError, match="export w8, which needs none"):
        to_int8(onnx.load(exported.path("onnx-fp32/vae_decoder/model.onnx")), [])


def test_a_weight_that_is_also_read_otherwise_stays_float(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.diag([1.0, 100.0]).astype(np.float32), "w")
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("MatMul", ["x", "w"], ["h"], name="product"),
            onnx.helper.make_node("Add", ["h", "w"], ["y"], name="sum"),
        ],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (2, 2))],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (2, 2))],
        [weight],
    )
    onnx.save(
        to_w8(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])), tmp_path / "m.onnx"
    )
    assert found_precision(tmp_path / "m.onnx") == "fp32"
