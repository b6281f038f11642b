from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lite_vton.bundle import Bundle, record_files, write_manifest
from lite_vton.errors import UserError
from lite_vton.model.networks import Networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.onnx.int8 import to_int8, to_w8
from lite_vton_export.onnx.precision import found_precision, precision_shares
from lite_vton_export.parity.gates import GATES
from lite_vton_export.verify.run import verify

pytestmark = pytest.mark.slow


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
    for shares in (integers.weights, integers.multiplications):
        assert set(shares) == {"int8", "fp32"}
        assert shares["int8"] > 0.8
        assert sum(shares.values()) == pytest.approx(1)
    weights_only = precision_shares(eight_bits.path("onnx-w8/unet/model.onnx"))
    assert weights_only.weights == weights_only.multiplications == {"w8": 1.0}


SATURATES = not any("vnni" in line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines())


@pytest.mark.skipif(SATURATES, reason="without VNNI int8 sums saturate, and zero points are needed to reach the gate")
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


def with_weights_scaled(path: Path, which: int) -> None:
    """Make the weights of one quantised layer 5 % larger, by their scales."""
    model = onnx.load(path)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    quantised = [node for node in model.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in constants]
    scales = [constants[n.input[1]] for n in quantised if len(constants[n.input[0]].dims) > 1]
    scale = scales[which % len(scales)]
    scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(1.05), scale.name))
    onnx.save(model, path)


@pytest.mark.parametrize("component", preset("tiny").components)
@pytest.mark.parametrize(("precision", "which"), [("int8", 0), ("int8", 3), ("int8", -1), ("w8", 0), ("w8", -1)])
def test_a_layer_scaled_a_little_is_found_by_the_numbers(
    precision: str, which: int, component: str, eight_bits: Bundle, tmp_path: Path
) -> None:
    name = f"onnx-{precision}"
    broken = damaged(
        eight_bits, tmp_path, lambda root: with_weights_scaled(root / f"{name}/{component}/model.onnx", which)
    )
    report = verify(broken, artifacts=[name], write=False)
    assert report.exit_code == 1
    told = (component, "the manifest says picture_psnr_db")
    assert all(failure.startswith(told) for failure in report.artifacts[0].failures), report.artifacts[0].failures


def test_weights_only_claimed_as_int8_is_caught(eight_bits: Bundle, tmp_path: Path) -> None:
    def swap(root: Path) -> None:
        shutil.copy(root / "onnx-w8/unet/model.onnx", root / "onnx-int8/unet/model.onnx")

    report = verify(damaged(eight_bits, tmp_path, swap), artifacts=["onnx-int8"], write=False)
    assert report.exit_code == 1
    assert report.artifacts[0].failures == ("unet is w8 inside, not int8",)


def test_inputs_swapped_are_caught(eight_bits: Bundle, tmp_path: Path) -> None:
    def swap(root: Path) -> None:
        """Show the U-Net the pose where it looks for the person."""
        path = root / "onnx-int8/unet/model.onnx"
        model = onnx.load(path)
        first = next(t for t in model.graph.initializer if t.name == "unet.conv_in.weight")
        order = [*range(5), *range(9, 13), *range(5, 9)]
        first.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(first)[:, order], first.name))
        onnx.save(model, path)

    report = verify(damaged(eight_bits, tmp_path, swap), artifacts=["onnx-int8"], write=False)
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
