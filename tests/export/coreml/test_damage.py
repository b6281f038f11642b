"""A wrong package is caught by its numbers alone, a broken one is refused in a line."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lite_vton.bundle import Bundle
from lite_vton.cli import main
from lite_vton.errors import UserError
from lite_vton_export.verify.run import verify

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

from coremltools.proto import MIL_pb2, Model_pb2

from lite_vton_export.coreml.evaluator import CoreMLEvaluator, Evaluator
from lite_vton_export.coreml.precision import found_coreml_precision

pytestmark = pytest.mark.slow

PRECISIONS = ("fp32", "fp16", "p6", "w8")
WEIGHTS = "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
PROGRAM = "model.mlpackage/Data/com.apple.CoreML/model.mlmodel"
Damage = Callable[[Path], object]


def edited(program: Path, edit: Callable[[Model_pb2.Model], object]) -> None:
    model = Model_pb2.Model.FromString(program.read_bytes())
    edit(model)
    program.write_bytes(model.SerializeToString())


def operations(model: Model_pb2.Model) -> list[MIL_pb2.Operation]:
    function = model.mlProgram.functions["main"]
    return list(function.block_specializations[function.opset].operations)


def scale_a_layer(precision: str) -> Damage:
    """One layer's weights 5 % larger, in the blob alone: its numbers, its palette or its scales."""

    def damage(root: Path) -> None:
        program = Model_pb2.Model.FromString((root / f"coreml-{precision}/vae_decoder" / PROGRAM).read_bytes())
        kinds = {"p6": ("constexpr_lut_to_dense", "lut"), "w8": ("constexpr_affine_dequantize", "scale")}
        kind, name = kinds.get(precision, ("const", "val"))
        values = [op.attributes[name] for op in operations(program) if op.type == kind]
        # The last of them, as what comes after could make little of it; of constants, a convolution's weights.
        last = [v for v in values if kind != "const" or len(v.type.tensorType.dimensions) == 4][-1]
        path = root / f"coreml-{precision}/vae_decoder" / WEIGHTS
        blob = bytearray(path.read_bytes())
        # A record of 64 bytes: sentinel and type of 4 bytes each, then how many bytes and where, of 8 each.
        size, start = struct.unpack_from("<QQ", blob, last.blobFileValue.offset + 8)
        numbers = np.frombuffer(blob, np.float32 if precision == "fp32" else np.float16, offset=start, count=-1)
        numbers[: size // numbers.itemsize] *= 1.05
        path.write_bytes(blob)

    return damage


@pytest.mark.parametrize("precision", PRECISIONS)
def test_one_layer_5_percent_off_is_caught_by_the_numbers(
    precision: str, written: Bundle, spoilt: Callable[[Damage], Bundle]
) -> None:
    name = f"coreml-{precision}"
    intact = verify(written, artifacts=[name], write=False).artifacts[0].worst("vae_decoder").psnr_db
    bundle = spoilt(scale_a_layer(precision))
    assert found_coreml_precision(bundle.path(f"{name}/vae_decoder/model.mlpackage")) == precision
    # Coarse weights pass coarse gates: they are held to what the intact file reached.
    report = verify(bundle, artifacts=[name], min_psnr=intact - 0.5, write=False)
    assert report.exit_code == 1
    assert any("vae_decoder step" in text for text in report.artifacts[0].failures)
    if precision == "fp32":
        assert verify(bundle, artifacts=[name], write=False).exit_code == 1


def test_another_precision_in_its_place_fails(spoilt: Callable[[Damage], Bundle]) -> None:
    def swap(root: Path) -> None:
        shutil.rmtree(root / "coreml-fp16/unet")
        shutil.copytree(root / "coreml-w8/unet", root / "coreml-fp16/unet")

    report = verify(spoilt(swap), artifacts=["coreml-fp16"], write=False)
    assert report.exit_code == 1
    assert "unet is w8 inside, not fp16" in report.artifacts[0].failures


def test_two_inputs_swapped_fail(spoilt: Callable[[Damage], Bundle]) -> None:
    def swap(model: Model_pb2.Model) -> None:
        """The first difference the other way round."""
        for op in operations(model):
            if op.type == "sub":
                x, y = (op.inputs[name].arguments[0] for name in "xy")
                kept = MIL_pb2.Argument.Binding.FromString(x.SerializeToString())
                x.CopyFrom(y)
                y.CopyFrom(kept)
                return

    bundle = spoilt(lambda root: edited(root / "coreml-fp16/unet" / PROGRAM, swap))
    report = verify(bundle, artifacts=["coreml-fp16"], write=False)
    assert report.exit_code == 1
    assert all("unet step" in text or "final picture" in text for text in report.artifacts[0].failures)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1000]),
        lambda folder: (folder / WEIGHTS).write_bytes(b""),
        lambda folder: (folder / WEIGHTS).unlink(),
        lambda folder: (folder / WEIGHTS).write_bytes(b"\xff" * 4096),
        lambda folder: (folder / PROGRAM).write_bytes((folder / PROGRAM).read_bytes()[:-1000]),
        lambda folder: (folder / PROGRAM).write_bytes(b""),
        lambda folder: (folder / PROGRAM).unlink(),
        lambda folder: (folder / "model.mlpackage/Manifest.json").unlink(),
        lambda folder: shutil.rmtree(folder / "model.mlpackage"),
    ],
    ids=[
        "weights cut short",
        "weights empty",
        "weights gone",
        "weights of another kind",
        "program cut short",
        "program empty",
        "program gone",
        "manifest gone",
        "nothing there",
    ],
)
def test_a_package_that_is_not_whole_is_one_line(written: Bundle, tmp_path: Path, damage: Damage) -> None:
    shutil.copytree(written.path("coreml-fp16/vae_decoder"), tmp_path / "vae_decoder")
    damage(tmp_path / "vae_decoder")
    for read in (found_coreml_precision, Evaluator.of_package):
        with pytest.raises(UserError, match="no whole Core ML package") as caught:
            read(tmp_path / "vae_decoder/model.mlpackage")
        assert "\n" not in str(caught.value)


def test_weights_cut_short_exit_1(spoilt: Callable[[Damage], Bundle], capfd: pytest.CaptureFixture[str]) -> None:
    def cut(root: Path) -> None:
        path = root / "coreml-w8/vae_encoder" / WEIGHTS
        path.write_bytes(path.read_bytes()[:-1000])

    bundle = spoilt(cut)
    assert main(["verify", str(bundle.root), "--artifact", "coreml-w8"]) == 1
    said = capfd.readouterr()
    assert "no whole Core ML package" in said.out
    assert "Traceback" not in said.out + said.err


def test_another_networks_package_is_refused(spoilt: Callable[[Damage], Bundle]) -> None:
    def swap(root: Path) -> None:
        shutil.rmtree(root / "coreml-fp16/vae_encoder")
        shutil.copytree(root / "coreml-fp16/vae_decoder", root / "coreml-fp16/vae_encoder")

    with pytest.raises(UserError, match="vae_encoder has other tensors than sample"):
        CoreMLEvaluator(spoilt(swap), "fp16")
